//! Reports on the services of an SVSM (AMD 58019, Secure VM Service Module, "Attestation Protocol").

use assay_types::HashAlgorithm;

use crate::SimulatorError;

/// A GUID in the order of bytes of UEFI.
pub(crate) type Guid = [u8; 16];

/// 63849ebb-3d92-4670-a1ff-58f9c94b87bb, the table of services.
const SERVICES: Guid =
    [0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46, 0xa1, 0xff, 0x58, 0xf9, 0xc9, 0x4b, 0x87, 0xbb];

/// c476f1eb-0123-45a5-9641-b4e7dde5bfe3, the vTPM.
const VTPM: Guid =
    [0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7, 0xdd, 0xe5, 0xbf, 0xe3];

/// What the emulated vTPM says of itself, in the place of the public area of its endorsement key.
const VTPM_MANIFEST: &[u8] = b"assay emulator vTPM";

/// The manifest of one service, or of all in their table: GUID, length, number of services, then for each GUID,
/// offset and length; then the manifests. Numbers are 32 bits, little-endian.
///
/// # Errors
/// [`SimulatorError::Refused`]: no such service, no such version of its manifest.
pub(crate) fn manifest(service: Option<Guid>, version: u32) -> Result<Vec<u8>, SimulatorError> {
    if version != 0 {
        return Err(SimulatorError::Refused(format!("a manifest of version {version}; there is version 0")));
    }
    match service {
        Some(VTPM) => Ok(VTPM_MANIFEST.to_vec()),
        Some(guid) => Err(SimulatorError::Refused(format!("no service {}", hex::encode(guid)))),
        None => {
            const HEADER: u32 = 24 + 24;
            let len = u32::try_from(VTPM_MANIFEST.len()).unwrap_or(u32::MAX);
            Ok([
                SERVICES.as_slice(),
                &(HEADER + len).to_le_bytes(),
                &1_u32.to_le_bytes(),
                &VTPM,
                &HEADER.to_le_bytes(),
                &len.to_le_bytes(),
                VTPM_MANIFEST,
            ]
            .concat())
        }
    }
}

/// The report data that bind a manifest: SHA-512(nonce ‖ manifest), 64 bytes.
pub(crate) fn report_data(nonce: &[u8], manifest: &[u8]) -> Vec<u8> {
    HashAlgorithm::Sha512.digest(&[nonce, manifest].concat()).as_bytes().to_vec()
}

/// Reads a GUID as text: 8-4-4-4-12 hexadecimal digits, of which the first three groups are numbers.
pub(crate) fn parse_guid(text: &str) -> Option<Guid> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let mut bytes = Vec::with_capacity(16);
    for (place, group) in groups.iter().enumerate() {
        let mut group = hex::decode(group).ok()?;
        if place < 3 {
            group.reverse();
        }
        bytes.extend(group);
    }
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn a_guid_is_what_its_text_says(bytes in any::<Guid>(), other in any::<String>()) {
            let part = |range: std::ops::Range<usize>, number: bool| {
                let mut part = bytes[range].to_vec();
                if number {
                    part.reverse();
                }
                hex::encode(part)
            };
            let text =
                [part(0..4, true), part(4..6, true), part(6..8, true), part(8..10, false), part(10..16, false)];
            prop_assert_eq!(parse_guid(&text.join("-")), Some(bytes));
            prop_assert_eq!(parse_guid(&text.concat()), None);
            prop_assert_eq!(parse_guid(&format!("{}{other}", text.join("-"))).is_some(), other.is_empty());
        }
    }

    #[test]
    fn guids_are_read_in_the_order_of_uefi_and_nothing_else_is() {
        assert_eq!(parse_guid("c476f1eb-0123-45a5-9641-b4e7dde5bfe3"), Some(VTPM));
        assert_eq!(parse_guid("63849EBB-3d92-4670-a1ff-58f9c94b87bb"), Some(SERVICES));
        for text in
            ["", "c476f1eb012345a59641b4e7dde5bfe3", "c476f1eb-0123-45a5-9641-b4e7dde5bfeg", "é-é-é-é-é"]
        {
            assert_eq!(parse_guid(text), None, "{text}");
        }
    }

    #[test]
    fn the_table_names_what_follows_it() {
        let all = manifest(None, 0).unwrap();
        let one = manifest(Some(VTPM), 0).unwrap();
        let number =
            |at: usize| usize::try_from(u32::from_le_bytes(all[at..at + 4].try_into().unwrap())).unwrap();
        assert_eq!(number(16), all.len());
        assert_eq!(number(20), 1);
        assert_eq!(all[24..40], VTPM);
        assert_eq!(all[number(40)..number(40) + number(44)], one);
        assert!(manifest(None, 1).is_err());
        assert!(manifest(Some(SERVICES), 0).is_err());
    }
}
