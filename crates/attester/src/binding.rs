//! What evidence is bound to, seen from the guest. The rules are those of the verifiers
//! (`assay_types::Checks`), so that a guest refuses what a verifier would.

use assay_types::{Digest, ReportData, Tee};

use crate::{AttesterError, InitDataBinding};

/// The report data for a TEE with a field of 64 bytes: padded with zeros on the right.
///
/// # Errors
/// [`AttesterError::ReportDataTooLong`] for more than 64 bytes.
pub fn report_data(tee: Tee, bytes: &[u8]) -> Result<ReportData, AttesterError> {
    ReportData::padded(bytes).map_err(|long| AttesterError::ReportDataTooLong {
        tee,
        found: long.found,
        max: long.max,
    })
}

/// Refuses an answer of `what` (a device or file) that carries other report data than those asked for: it was
/// made for someone else.
///
/// # Errors
/// [`AttesterError::Malformed`].
pub fn same_report_data(what: &str, asked: &ReportData, found: &[u8; 64]) -> Result<(), AttesterError> {
    if asked.as_bytes() == found {
        return Ok(());
    }
    let why = format!(
        "the answer is for other report data: asked for {asked}, found {}; someone else uses the device",
        hex::encode(found)
    );
    Err(AttesterError::Malformed { what: what.to_owned(), why })
}

/// A digest of init data as a field of `len` bytes holds it: a shorter digest with zeros on the right, of a
/// longer one the first bytes (Confidential Containers, initdata specification).
pub fn init_data_field(digest: &Digest, len: usize) -> Vec<u8> {
    let mut field: Vec<u8> = digest.as_bytes().iter().copied().take(len).collect();
    field.resize(len, 0);
    field
}

/// Compares `found`, what the platform's field holds, with the digest of the init data.
///
/// # Errors
/// [`AttesterError::InitDataMismatch`].
pub fn init_data(
    field: &'static str,
    digest: &Digest,
    found: &[u8],
) -> Result<InitDataBinding, AttesterError> {
    let expected = init_data_field(digest, found.len());
    if expected == found {
        Ok(InitDataBinding::Bound { field })
    } else {
        let (expected, found) = (hex::encode(expected), hex::encode(found));
        Err(AttesterError::InitDataMismatch { field, expected, found })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use assay_types::{Binding, Check, Checks, HashAlgorithm, Outcome};
    use proptest::prelude::*;

    use super::*;

    const CHECK: Check = Check { code: "T-001", name: "t", remedy: "", source: "" };

    #[test]
    fn report_data_are_padded_and_never_cut() {
        assert_eq!(report_data(Tee::Snp, &[7; 64]).unwrap(), ReportData::new([7; 64]));
        assert_eq!(report_data(Tee::Snp, &[]).unwrap(), ReportData::new([0; 64]));
        for len in [65, 1_000_000] {
            let error = report_data(Tee::Cca, &vec![0; len]).unwrap_err();
            assert!(matches!(
                error,
                AttesterError::ReportDataTooLong { tee: Tee::Cca, found, max: 64 } if found == len
            ));
        }
    }

    #[test]
    fn an_answer_for_someone_else_is_refused_with_both_values() {
        let asked = ReportData::new([1; 64]);
        same_report_data("d", &asked, &[1; 64]).unwrap();
        let text = same_report_data("d", &asked, &[2; 64]).unwrap_err().to_string();
        assert!(text.contains(&"01".repeat(64)) && text.contains(&"02".repeat(64)), "{text}");
    }

    proptest! {
        /// The guest binds just what the verifier's check passes.
        #[test]
        fn the_rule_is_the_verifiers(
            algorithm in proptest::sample::select(HashAlgorithm::ALL.to_vec()),
            len in proptest::sample::select(vec![32_usize, 48, 64]),
            text: Vec<u8>,
            flip in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let digest = algorithm.digest(&text);
            let mut field = init_data_field(&digest, len);
            if let Some(at) = flip {
                field[at.index(len)] ^= 1;
            }
            let mut checks = Checks::new(&[CHECK]);
            let binding = Binding { report_data: None, init_data: Some(digest.clone()) };
            checks.init_data(&CHECK, &binding, &field);
            let passed = checks.findings()[0].outcome == Outcome::Passed;
            prop_assert_eq!(passed, flip.is_none());
            prop_assert_eq!(passed, init_data("F", &digest, &field).is_ok());
        }
    }
}
