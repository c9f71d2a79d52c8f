//! The names of claims, as ccatoken, Veraison and Trustee write them in JSON. Claims of the second
//! generation, which they do not have, are named in the same way.

/// The claims of a platform token.
pub(crate) const PLATFORM: &[(i64, &str)] = &[
    (265, "cca-platform-profile"),
    (10, "cca-platform-challenge"),
    (2408, "cca-platform-workload-binding"),
    (2396, "cca-platform-implementation-id"),
    (256, "cca-platform-instance-id"),
    (2401, "cca-platform-config"),
    (2395, "cca-platform-lifecycle"),
    (2399, "cca-platform-sw-components"),
    (2400, "cca-platform-service-indicator"),
    (2402, "cca-platform-hash-algo-id"),
    (2394, "cca-platform-client-id"),
    (2403, "cca-platform-manufacturing-config"),
    (2404, "cca-platform-extension"),
    (2405, "cca-platform-tbb-rotpk"),
    (2406, "cca-platform-peer-signers"),
    (2407, "cca-platform-tpm-binding"),
];

/// The members of a software component.
pub(crate) const COMPONENT: &[(i64, &str)] = &[
    (1, "measurement-type"),
    (2, "measurement-value"),
    (4, "version"),
    (5, "signer-id"),
    (6, "hash-algo-id"),
    (7, "live-firmware-activation"),
    (8, "counter-signers"),
];

/// The claims of a realm token.
pub(crate) const REALM: &[(i64, &str)] = &[
    (265, "cca-realm-profile"),
    (10, "cca-realm-challenge"),
    (44235, "cca-realm-personalization-value"),
    (44236, "cca-realm-hash-algo-id"),
    (44237, "cca-realm-public-key"),
    (44238, "cca-realm-initial-measurement"),
    (44239, "cca-realm-extensible-measurements"),
    (44240, "cca-realm-public-key-hash-algo-id"),
    (256, "cca-realm-instance-id"),
    (44243, "cca-realm-mec-policy"),
    (44244, "cca-realm-lfa-policy"),
    (44257, "cca-realm-devices-token-hash"),
];

/// The entries of a token.
pub(crate) const ENTRIES: &[(i64, &str)] =
    &[(44234, "cca-platform-token"), (44241, "cca-realm-delegated-token")];

/// The name of `key` in `table`.
pub(crate) fn name(table: &'static [(i64, &'static str)], key: i64) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == key).map(|(_, name)| *name)
}
