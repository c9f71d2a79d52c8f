//! The key derivation of ECDH-ES (RFC 7518, section 4.6.2): the Concat KDF of NIST SP 800-56A,
//! section 5.8.1, with SHA-256.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};

/// Fills `key` from the shared secret `z`. `algorithm` is the `alg` that the key serves; `apu` and
/// `apv` are what the header says of the parties, decoded, and empty where it says nothing.
pub(super) fn derive(
    z: &[u8],
    algorithm: &str,
    apu: &[u8],
    apv: &[u8],
    key: &mut [u8],
) -> Result<(), Unspecified> {
    let digest = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Unspecified)?;
    let mut info = Vec::with_capacity(64);
    for party in [algorithm.as_bytes(), apu, apv] {
        info.extend_from_slice(&u32::try_from(party.len()).map_err(|_| Unspecified)?.to_be_bytes());
        info.extend_from_slice(party);
    }
    let bits = key.len().checked_mul(8).and_then(|bits| u32::try_from(bits).ok()).ok_or(Unspecified)?;
    info.extend_from_slice(&bits.to_be_bytes());
    sskdf_digest(digest, z, &info, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;
    use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};

    #[test]
    fn the_derivation_of_rfc_7518_appendix_c_holds() {
        let decode = |text| base64url::decode(text).unwrap();
        let alice =
            PrivateKey::from_private_key(&ECDH_P256, &decode("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"))
                .unwrap();
        let bob = [
            &[4][..],
            &decode("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"),
            &decode("e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"),
        ]
        .concat();
        let mut key = [0; 16];
        agree(&alice, UnparsedPublicKey::new(&ECDH_P256, bob), Unspecified, |z| {
            derive(z, "A128GCM", b"Alice", b"Bob", &mut key)
        })
        .unwrap();
        assert_eq!(base64url::encode(key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn an_independent_concatenation_gives_the_same_key() {
        let z = [7; 66];
        let mut key = [0; 32];
        derive(&z, "ECDH-ES+A256KW", b"", b"", &mut key).unwrap();
        let mut input = vec![0, 0, 0, 1];
        input.extend(z);
        input.extend(b"\x00\x00\x00\x0eECDH-ES+A256KW\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00");
        assert_eq!(assay_types::Digest::sha256(&input).as_bytes(), key);
    }
}
