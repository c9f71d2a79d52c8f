//! Keys whose private half is public. Whoever trusts them trusts everybody.
//!
//! Trusted Firmware-A returns one fixed platform token on QEMU and FVP, signed by a key in its source,
//! which also has the realm attestation key that goes with it. Both are in the test data of half a dozen
//! projects. The keys of the emulator's published seeds are in this project.

use assay_cose::PublicKey;

/// A published key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Whose key it is.
    pub(crate) whose: &'static str,
    /// Whether it is one of the emulator's.
    pub(crate) emulator: bool,
}

/// By the SHA-256 of their points (`0x04 || x || y`).
const FIRMWARE: &[(&str, &str)] = &[
    (
        "9bdb470456c7c1348349e88f38540f43e7a7993ac32e9c9a0b3c8d8733cc63f0",
        "the sample platform attestation key of Trusted Firmware-A",
    ),
    (
        "b5973cb68baa9fc55558786b7ec67f69e40df5ba5aa921cd0c27f40587a011ea",
        "the sample realm attestation key of Trusted Firmware-A",
    ),
];

/// The platform attestation keys of the emulator's published seeds, by the SHA-256 of their points in
/// hexadecimal: for each seed in turn the key on P-256, on P-384 and on P-521.
pub const EMULATED_CPAKS: [&str; 9] = [
    "2ca5262653e96ed1fcbe09e90277bcaad029aa3ae21dbc243c3899d41742f5ca",
    "9a707e43db92d00bc02b743adfd7a060196b7b135194832944586af2466f8f8c",
    "5a4b4cd1864cd8202b2f62a12ab1b6858b4ea6f5243c9c37af8471e1608ec354",
    "cddde709c1b81944cbc7affe7863172c35dd960cda7ec3663503ba416d2f20de",
    "e864242b613ea05c6da63cb49f3319c05a19ec66dcf2adee7b3574db12a65369",
    "aec9351be2ec5421ca9617576d103854c477c89c06d43e30e22413f01af95011",
    "4a21e756054ac8fdacb6c73574d705ca48759066d7bf9cb9b7a6cb0f86034f1b",
    "715f87106656f107d1dca86c85ef156a5c075a89505c1712198a9703fd33530d",
    "a2b0cc474a2234606c228eb83f30d35b49578dcc947fb61f38683afea30fc0ca",
];

/// What is known of a key whose private half is public.
pub(crate) fn find(key: &PublicKey) -> Option<Published> {
    let fingerprint = hex::encode(key.fingerprint());
    if let Some((_, whose)) = FIRMWARE.iter().find(|(known, _)| *known == fingerprint) {
        return Some(Published { whose, emulator: false });
    }
    let emulated = EMULATED_CPAKS.contains(&fingerprint.as_str());
    emulated.then_some(Published { whose: "a key of the emulator, from a published seed", emulator: true })
}
