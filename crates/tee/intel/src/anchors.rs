//! The trust anchors: Intel's pinned root, and an emulator's where a danger option admits them.

use std::sync::Arc;

use assay_x509::{Certificate, PublicKey};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;

use crate::roots::{self, ROOT_NAME, Root};

/// The largest certificate that is read, in bytes; Intel's have less than 1500.
pub(crate) const MAX_CERTIFICATE_LEN: usize = 16 * 1024;

/// The roots that chains may end at, for SGX and TDX alike.
///
/// The entries `sgx` and `tdx` of a file of trust anchors have the shape
/// `{"roots":["<standard base64 of the self-signed DER>",…]}`.
#[derive(Clone, Debug)]
pub struct IntelAnchors {
    roots: Vec<Arc<Root>>,
}

/// An entry of a file of trust anchors that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// It has another shape.
    #[error("trust anchors for sgx and tdx: {0}")]
    Shape(#[from] serde_json::Error),
    /// It names no root at all.
    #[error("trust anchors for sgx and tdx: no root is named")]
    Empty,
    /// A root cannot be used.
    #[error("trust anchors for sgx and tdx, entry {index}: {reason}")]
    Root {
        /// Which one, counted from zero.
        index: usize,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    roots: Vec<String>,
}

impl IntelAnchors {
    /// The Intel SGX Root CA.
    pub fn intel() -> Self {
        IntelAnchors { roots: roots::intel().into_iter().collect() }
    }

    /// These roots and an emulator's. Claims that rest on the latter are marked as emulated.
    ///
    /// # Errors
    /// [`AnchorsError`] when the entry is not of the shape described above, or a certificate is not a
    /// self-signed root on P-256 with the root's name.
    pub fn with_emulated(mut self, entry: &Value) -> Result<Self, AnchorsError> {
        let entry = Entry::deserialize(entry)?;
        if entry.roots.is_empty() {
            return Err(AnchorsError::Empty);
        }
        for (index, root) in entry.roots.iter().enumerate() {
            let root = read_root(root).map_err(|reason| AnchorsError::Root { index, reason })?;
            self.roots.push(Arc::new(root));
        }
        Ok(self)
    }

    /// An emulator's roots and no others: Intel's evidence is refused.
    ///
    /// # Errors
    /// As [`IntelAnchors::with_emulated`].
    pub fn emulated_only(entry: &Value) -> Result<Self, AnchorsError> {
        IntelAnchors { roots: Vec::new() }.with_emulated(entry)
    }

    /// The roots, Intel's first.
    pub(crate) fn roots(&self) -> &[Arc<Root>] {
        &self.roots
    }

    /// The root that `certificate` is of.
    pub(crate) fn find(&self, certificate: &Certificate) -> Option<&Arc<Root>> {
        self.roots.iter().find(|root| root.is_of(certificate))
    }
}

fn read_root(text: &str) -> Result<Root, String> {
    let der = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|e| format!("the certificate is not base64: {e}"))?;
    if der.len() > MAX_CERTIFICATE_LEN {
        return Err(format!("the certificate has more than {MAX_CERTIFICATE_LEN} bytes"));
    }
    let certificate = Certificate::from_der(&der).map_err(|e| format!("not a certificate: {e}"))?;
    if certificate.subject.common_name() != Some(ROOT_NAME) {
        return Err(format!("the certificate is of {}, not of {ROOT_NAME}", certificate.subject));
    }
    if !matches!(certificate.key, PublicKey::P256(_)) {
        return Err(format!("expected an elliptic curve key on P-256, found {}", certificate.key));
    }
    if certificate.issuer != certificate.subject || !certificate.signed.is_signed_by(&certificate.key) {
        return Err("the certificate is not signed by itself".to_owned());
    }
    Ok(Root {
        name: certificate.subject,
        key: certificate.key,
        serial: certificate.serial,
        validity: certificate.validity,
        fingerprint: certificate.fingerprint,
        emulated: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_of_another_shape_are_refused_and_say_why() {
        for (entry, reason) in [
            (json!({}), "missing field"),
            (json!({"roots": []}), "no root is named"),
            (json!({"roots": [], "arks": []}), "unknown field"),
            (json!({"roots": ["*"]}), "not base64"),
            (json!({"roots": ["MAA="]}), "not a certificate"),
            (json!({"roots": ["A".repeat(4 * 16 * 1024)]}), "more than 16384 bytes"),
        ] {
            let error = IntelAnchors::intel().with_emulated(&entry).unwrap_err().to_string();
            assert!(error.contains(reason), "{error} does not say {reason:?}");
        }
        assert_eq!(IntelAnchors::intel().roots().len(), 1);
    }
}
