//! The digests of pieces of collateral, each computed once.
//!
//! The same pieces come with every verification, and TCB info is long. A cache of collateral hands out
//! the same memory again and again, so what was digested is known by its place.

use assay_types::Digest;
use bytes::Bytes;
use moka::sync::Cache;

/// The most bytes that are held for it.
const MAX_BYTES: u64 = 32 << 20;

/// Digests by address and length. Each is kept together with the bytes themselves: as long as it is
/// here, their memory can neither change nor become somebody else's, so the place stands for the content.
pub(crate) struct PieceDigests(Cache<(usize, usize), (Bytes, Digest)>);

impl PieceDigests {
    pub(crate) fn new() -> Self {
        let weigher =
            |_: &(usize, usize), (bytes, _): &(Bytes, Digest)| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        PieceDigests(Cache::builder().weigher(weigher).max_capacity(MAX_BYTES).build())
    }

    /// The SHA-256 of the bytes.
    pub(crate) fn of(&self, bytes: &Bytes) -> Digest {
        let place = (bytes.as_ptr().addr(), bytes.len());
        if let Some((_, known)) = self.0.get(&place) {
            return known;
        }
        let digest = Digest::sha256(bytes);
        self.0.insert(place, (bytes.clone(), digest.clone()));
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_content_wherever_it_stands() {
        let digests = PieceDigests::new();
        let bytes = Bytes::from(b"some bytes of a piece".to_vec());
        let first = digests.of(&bytes);
        assert_eq!(digests.of(&bytes.clone()), first);
        assert_eq!(digests.of(&Bytes::copy_from_slice(&bytes)), first);
        // Another length at the same place, and another place within the same memory.
        assert_ne!(digests.of(&bytes.slice(..4)), first);
        assert_ne!(digests.of(&bytes.slice(1..)), first);
        assert_eq!(digests.of(&bytes.slice(..4)), digests.of(&Bytes::from_static(b"some")));
    }

    #[test]
    fn memory_that_is_given_back_does_not_keep_its_digest() {
        let digests = PieceDigests::new();
        for round in 0..2000_u32 {
            let content = round.to_le_bytes().repeat(50);
            let expected = PieceDigests::new().of(&Bytes::from(content.clone()));
            // Dropped at the end of the round: the allocator is free to give the same place again.
            assert_eq!(digests.of(&Bytes::from(content)), expected, "{round}");
        }
    }
}
