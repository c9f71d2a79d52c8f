//! The trust anchors: AMD's pinned root keys, and an emulator's where a danger option admits them.

use std::fmt;
use std::sync::Arc;

use assay_x509::{Certificate, PublicKey};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::MAX_CERTIFICATE_LEN;
use crate::product::{KeyKind, Product};
use crate::roots::{self, Authority};

/// A root key that is trusted.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) product: Product,
    pub(crate) authority: Arc<Authority>,
    /// The authorities of this root that are known beforehand.
    pub(crate) bundled: Vec<(KeyKind, Arc<Authority>)>,
    pub(crate) emulated: bool,
}

/// The root keys (ARK) that chains may end at.
///
/// The entry `snp` of a file of trust anchors has the shape
/// `{"arks":[{"product":"Milan","certificate":"<standard base64 of the self-signed DER>"},…]}`.
#[derive(Clone)]
pub struct SnpAnchors {
    roots: Vec<Root>,
}

impl fmt::Debug for SnpAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.roots.iter().map(|r| format!("{} emulated={}", r.product.root_name(), r.emulated));
        f.debug_list().entries(names).finish()
    }
}

/// An entry `snp` of a file of trust anchors that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// It has another shape.
    #[error("trust anchors for snp: {0}")]
    Shape(#[from] serde_json::Error),
    /// It names no root at all.
    #[error("trust anchors for snp: no root is named")]
    Empty,
    /// A root cannot be used.
    #[error("trust anchors for snp, entry {index}: {reason}")]
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
    arks: Vec<Ark>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ark {
    product: String,
    certificate: String,
}

impl SnpAnchors {
    /// AMD's root keys of every product line, with AMD's ASK and ASVK.
    pub fn amd() -> Self {
        let roots = roots::amd().into_iter().map(|line| Root {
            product: line.product,
            authority: line.root,
            bundled: line.authorities,
            emulated: false,
        });
        SnpAnchors { roots: roots.collect() }
    }

    /// These roots and an emulator's. Claims that rest on the latter are marked as emulated.
    ///
    /// # Errors
    /// [`AnchorsError`] when the entry is not of the shape described above, or a certificate is not
    /// a self-signed root named for its product.
    pub fn with_emulated(mut self, entry: &Value) -> Result<Self, AnchorsError> {
        let entry = Entry::deserialize(entry)?;
        if entry.arks.is_empty() {
            return Err(AnchorsError::Empty);
        }
        for (index, ark) in entry.arks.iter().enumerate() {
            self.roots.push(read_root(ark).map_err(|reason| AnchorsError::Root { index, reason })?);
        }
        Ok(self)
    }

    /// An emulator's roots and no others: AMD's evidence is refused.
    ///
    /// # Errors
    /// As [`SnpAnchors::with_emulated`].
    pub fn emulated_only(entry: &Value) -> Result<Self, AnchorsError> {
        SnpAnchors { roots: Vec::new() }.with_emulated(entry)
    }

    /// The roots of a product line, AMD's first.
    pub(crate) fn of(&self, product: Product) -> impl Iterator<Item = &Root> {
        self.roots.iter().filter(move |root| root.product == product)
    }
}

fn read_root(ark: &Ark) -> Result<Root, String> {
    let product =
        Product::from_name(&ark.product).ok_or_else(|| format!("unknown product {:.40?}", ark.product))?;
    let der = base64::engine::general_purpose::STANDARD
        .decode(&ark.certificate)
        .map_err(|e| format!("the certificate is not base64: {e}"))?;
    if der.len() > MAX_CERTIFICATE_LEN {
        return Err(format!("the certificate has more than {MAX_CERTIFICATE_LEN} bytes"));
    }
    let certificate = Certificate::from_der(&der).map_err(|e| format!("not a certificate: {e}"))?;
    if certificate.subject.common_name() != Some(product.root_name()) {
        return Err(format!("the certificate is of {}, not of {}", certificate.subject, product.root_name()));
    }
    if !matches!(certificate.key, PublicKey::Rsa4096(_)) {
        return Err(format!("expected RSA with 4096 bits, found {}", certificate.key));
    }
    if certificate.issuer != certificate.subject || !certificate.signed.is_signed_by(&certificate.key) {
        return Err("the certificate is not signed by itself".to_owned());
    }
    Ok(Root {
        product,
        authority: Arc::new(Authority {
            crl_sign: certificate.key_usage.as_ref().is_some_and(|usage| usage.crl_sign()),
            name: certificate.subject,
            key: certificate.key,
            serial: certificate.serial,
            validity: certificate.validity,
            fingerprint: certificate.fingerprint,
        }),
        bundled: Vec::new(),
        emulated: true,
    })
}
