//! Administration: who may do it, and what it does.

mod administrator;
mod policies;
mod resources;
mod values;

pub(crate) use administrator::Administrator;
pub(crate) use policies::{
    delete_attestation_policy, delete_resource_policy, get_attestation_policy, get_resource_policy,
    list_attestation_policies, list_resource_policies, set_attestation_policy, set_resource_policy,
};
pub(crate) use resources::{delete_resource, list_resources, set_resource};
pub(crate) use values::{
    delete_reference_value, expire_reference_value, get_reference_value, list_reference_values,
    reference_value_history, register_reference_values, set_digest,
};
