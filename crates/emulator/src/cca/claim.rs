//! The keys of claims and of the collection (draft-ffm-rats-cca-token-04, section 5).

/// The key of the platform token in the collection.
pub const PLATFORM_TOKEN: i64 = 44234;
/// The key of the realm token in the collection.
pub const REALM_TOKEN: i64 = 44241;
/// The CoAP content-format of a signed token: `application/eat+cwt`.
pub const EAT_CWT: i64 = 263;
/// The CoAP content-format of an unsigned set of claims: `application/eat-ucs+cbor`.
pub const EAT_UCS: i64 = 267;

/// Claims of the platform token.
pub mod platform {
    /// The challenge.
    pub const CHALLENGE: i64 = 10;
    /// The platform instance.
    pub const INSTANCE_ID: i64 = 256;
    /// The profile.
    pub const PROFILE: i64 = 265;
    /// The caller of the root of trust.
    pub const CLIENT_ID: i64 = 2394;
    /// The lifecycle.
    pub const LIFECYCLE: i64 = 2395;
    /// The implementation.
    pub const IMPLEMENTATION_ID: i64 = 2396;
    /// The firmware.
    pub const SW_COMPONENTS: i64 = 2399;
    /// Where to find a verifier.
    pub const VERIFICATION_SERVICE: i64 = 2400;
    /// The configuration.
    pub const CONFIG: i64 = 2401;
    /// The algorithm of measurements.
    pub const HASH_ALGORITHM: i64 = 2402;
    /// A record of production.
    pub const MANUFACTURING_CONFIG: i64 = 2403;
    /// Extensions by assigned devices.
    pub const EXTENSION: i64 = 2404;
    /// The keys of trusted boot.
    pub const TBB_ROTPK: i64 = 2405;
    /// The signers of peers.
    pub const PEER_SIGNERS: i64 = 2406;
    /// The binding of a discrete TPM.
    pub const TPM_BINDING: i64 = 2407;
    /// The binding of the realm from 2026 on.
    pub const WORKLOAD_BINDING: i64 = 2408;
}

/// Members of a software component.
pub mod component {
    /// The role.
    pub const TYPE: i64 = 1;
    /// The measurement.
    pub const MEASUREMENT: i64 = 2;
    /// The version.
    pub const VERSION: i64 = 4;
    /// The signer.
    pub const SIGNER_ID: i64 = 5;
    /// The algorithm of this measurement.
    pub const HASH_ALGORITHM: i64 = 6;
    /// Whether it can be exchanged while the platform runs.
    pub const LIVE_ACTIVATION: i64 = 7;
    /// Further signers.
    pub const COUNTER_SIGNERS: i64 = 8;
}

/// Claims of the realm token.
pub mod realm {
    /// The challenge of the relying party.
    pub const CHALLENGE: i64 = 10;
    /// The realm instance.
    pub const INSTANCE_ID: i64 = 256;
    /// The profile.
    pub const PROFILE: i64 = 265;
    /// The personalization value (RPV).
    pub const PERSONALIZATION_VALUE: i64 = 44235;
    /// The algorithm of measurements.
    pub const HASH_ALGORITHM: i64 = 44236;
    /// The realm attestation key (RAK).
    pub const PUBLIC_KEY: i64 = 44237;
    /// The initial measurement (RIM).
    pub const INITIAL_MEASUREMENT: i64 = 44238;
    /// The extensible measurements (REM).
    pub const EXTENSIBLE_MEASUREMENTS: i64 = 44239;
    /// The algorithm of the RAK's hash.
    pub const PUBLIC_KEY_HASH_ALGORITHM: i64 = 44240;
    /// The memory encryption policy.
    pub const MEC_POLICY: i64 = 44243;
    /// The policy on live firmware activation.
    pub const LFA_POLICY: i64 = 44244;
    /// The hash of the token of assigned devices.
    pub const DEVICES_TOKEN_HASH: i64 = 44257;
}
