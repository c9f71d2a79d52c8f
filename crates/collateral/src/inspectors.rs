//! The inspectors, by vendor, and what they said of late.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use assay_types::{CollateralInspector, CollateralRequest, Digest, Validity, Vendor};

/// The most verdicts remembered.
const MAX: usize = 1024;

type Key = (Vendor, String);

/// The inspectors. What one said of a piece is remembered by the piece's digest, so that the same bytes
/// are not inspected with every request: an inspection checks several signatures.
#[derive(Default)]
pub(crate) struct Inspectors {
    by_vendor: BTreeMap<Vendor, Arc<dyn CollateralInspector>>,
    good: Mutex<HashMap<Key, (Digest, Validity)>>,
}

impl Inspectors {
    pub(crate) fn new(by_vendor: BTreeMap<Vendor, Arc<dyn CollateralInspector>>) -> Self {
        Inspectors { by_vendor, good: Mutex::default() }
    }

    /// Whether the vendor's collateral is inspected.
    pub(crate) fn has(&self, vendor: Vendor) -> bool {
        self.by_vendor.contains_key(&vendor)
    }

    /// When this answer to `request` is valid; `None` where the vendor's collateral is not inspected.
    pub(crate) fn inspect(
        &self,
        request: &CollateralRequest,
        bytes: &[u8],
    ) -> Result<Option<Validity>, String> {
        let Some(inspector) = self.by_vendor.get(&request.vendor) else { return Ok(None) };
        let key = (request.vendor, request.cache_key.clone());
        let digest = Digest::sha256(bytes);
        let known = self.good.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((of, validity)) = known
            && of == digest
        {
            return Ok(Some(validity));
        }
        let validity = inspector.inspect(request, bytes)?;
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= MAX
            && let Some(any) = good.keys().next().cloned()
        {
            good.remove(&any);
        }
        good.insert(key, (digest, validity));
        Ok(Some(validity))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use assay_types::CollateralKind;

    use super::*;

    struct Counting(AtomicUsize);

    impl CollateralInspector for Counting {
        fn inspect(&self, _: &CollateralRequest, bytes: &[u8]) -> Result<Validity, String> {
            self.0.fetch_add(1, Ordering::SeqCst);
            if bytes == b"bad" { Err("bad".into()) } else { Ok(Validity::ALWAYS) }
        }
    }

    #[test]
    fn the_same_bytes_are_inspected_once_and_refused_ones_each_time() {
        let counting = Arc::new(Counting(AtomicUsize::new(0)));
        let inspector: Arc<dyn CollateralInspector> = counting.clone();
        let inspectors = Inspectors::new(BTreeMap::from([(Vendor::Intel, inspector)]));
        let request = |vendor, key: &str| CollateralRequest {
            vendor,
            kind: CollateralKind::Crl,
            description: "CRL".into(),
            cache_key: key.into(),
            offline_paths: Vec::new(),
            service_path: "/crl".into(),
            chain_headers: Vec::new(),
            required: true,
            max_len: 10,
        };
        let a = request(Vendor::Intel, "a");
        for (request, bytes, good, inspections) in [
            (&a, &b"one"[..], true, 1),
            (&a, b"one", true, 1),
            (&request(Vendor::Intel, "b"), b"one", true, 2),
            (&a, b"two", true, 3),
            (&a, b"bad", false, 4),
            (&a, b"bad", false, 5),
            (&a, b"two", true, 5),
        ] {
            assert_eq!(inspectors.inspect(request, bytes).is_ok(), good);
            assert_eq!(counting.0.load(Ordering::SeqCst), inspections);
        }
        assert_eq!(inspectors.inspect(&request(Vendor::Amd, "a"), b"bad"), Ok(None));
        for n in 0..MAX + 10 {
            inspectors.inspect(&request(Vendor::Intel, &n.to_string()), b"one").unwrap();
        }
        assert_eq!(inspectors.good.lock().unwrap().len(), MAX);
    }
}
