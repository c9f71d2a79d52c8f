//! Keys whose private half is public. Whoever trusts them trusts everybody.
//!
//! Trusted Firmware-A returns one fixed platform token on QEMU and FVP, signed by a key in its source,
//! which also has the realm attestation key that goes with it. Both are in the test data of half a dozen
//! projects.

use assay_cose::PublicKey;

/// A published key, by the SHA-256 of its point (`0x04 || x || y`).
struct Published {
    fingerprint: &'static str,
    whose: &'static str,
}

const PUBLISHED: &[Published] = &[
    Published {
        fingerprint: "9bdb470456c7c1348349e88f38540f43e7a7993ac32e9c9a0b3c8d8733cc63f0",
        whose: "the sample platform attestation key of Trusted Firmware-A",
    },
    Published {
        fingerprint: "b5973cb68baa9fc55558786b7ec67f69e40df5ba5aa921cd0c27f40587a011ea",
        whose: "the sample realm attestation key of Trusted Firmware-A",
    },
];

/// Whose key it is, where its private half is public.
pub(crate) fn whose(key: &PublicKey) -> Option<&'static str> {
    let fingerprint = hex::encode(key.fingerprint());
    PUBLISHED.iter().find(|known| known.fingerprint == fingerprint).map(|known| known.whose)
}
