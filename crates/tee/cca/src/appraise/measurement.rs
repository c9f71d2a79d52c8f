//! Measurements against their reference values.

use crate::endorsement::Measurement;

impl Measurement {
    /// Whether `found` is one of the digests.
    ///
    /// Where the algorithms of both are known and fit the length, they are the same one, since each
    /// algorithm that is known here has a length of its own. Where one does not fit, value and length
    /// decide: attesters state SHA-256 over measurements of 64 bytes.
    pub(super) fn accepts(&self, found: &[u8]) -> bool {
        self.0.iter().any(|digest| digest.value == found)
    }

    /// Its digests in hexadecimal, as alternatives.
    pub(super) fn to_hex(&self) -> String {
        let digests: Vec<String> = self.0.iter().map(|digest| hex::encode(&digest.value)).collect();
        digests.join(" | ")
    }
}

#[cfg(test)]
mod tests {
    use assay_types::HashAlgorithm;

    #[test]
    fn no_two_algorithms_share_a_length_so_that_the_value_decides() {
        // When this fails, `accepts` must compare algorithms as well.
        let mut lengths: Vec<usize> = HashAlgorithm::ALL.into_iter().map(HashAlgorithm::digest_len).collect();
        lengths.dedup();
        assert_eq!(lengths.len(), HashAlgorithm::ALL.len());
    }
}
