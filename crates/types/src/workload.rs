//! What the evidence of a workload is bound to, so that it cannot pass for the guest's own.

use crate::{Digest, HashAlgorithm};

/// What stands before the runtime data of a workload when they are hashed; the last byte ends it.
pub const WORKLOAD_LABEL: &[u8] = b"assay workload evidence 1\0";

/// The report data of evidence that a workload asked its attestation agent for: SHA-384 of
/// [`WORKLOAD_LABEL`] and the runtime data, 48 bytes, padded with zeros by the TEE's rule.
///
/// In RCAR the report data is the digest of canonical JSON, which begins with `{`. No runtime data of a
/// workload can have such a digest: what is hashed for it begins with the label.
pub fn workload_report_data(runtime_data: &[u8]) -> Digest {
    let mut message = Vec::with_capacity(WORKLOAD_LABEL.len().saturating_add(runtime_data.len()));
    message.extend_from_slice(WORKLOAD_LABEL);
    message.extend_from_slice(runtime_data);
    HashAlgorithm::Sha384.digest(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_separates_and_the_value_is_fixed() {
        let digest = workload_report_data(b"nonce");
        assert_ne!(digest, Digest::sha384(b"nonce"));
        assert_eq!(digest, Digest::sha384(b"assay workload evidence 1\0nonce"));
        assert_ne!(WORKLOAD_LABEL.first(), Some(&b'{'));
    }
}
