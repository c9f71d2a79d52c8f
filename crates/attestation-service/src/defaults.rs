//! The policies that the program brings.

/// The bundled attestation policies, by id. `default_cpu` is its head and one file for each TEE.
pub const ATTESTATION_POLICIES: &[(&str, &str)] = &[(
    "default_cpu",
    concat!(
        include_str!("../policies/default_cpu.rego"),
        include_str!("../policies/sample.rego"),
        include_str!("../policies/snp.rego"),
        include_str!("../policies/cca.rego"),
        include_str!("../policies/intel.rego"),
        include_str!("../policies/tdx.rego"),
        include_str!("../policies/sgx.rego"),
    ),
)];

/// The id of the resource policy that decides where no more specific one does.
pub const RESOURCE_POLICY_ID: &str = "resource-policy";

/// The bundled resource policies, by id.
pub const RESOURCE_POLICIES: &[(&str, &str)] =
    &[(RESOURCE_POLICY_ID, include_str!("../policies/resource.rego"))];
