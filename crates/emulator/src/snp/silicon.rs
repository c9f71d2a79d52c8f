//! The vendor: its keys, and what it issues with them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use assay_tee_snp::evidence::{Report, SIGNED_LEN, Signature, TcbVersion};
use assay_tee_snp::{KeyKind, Product};
use p384::ecdsa::SigningKey;
use p384::ecdsa::signature::Signer as _;
use p384::pkcs8::EncodePublicKey as _;
use rand_chacha::rand_core::Rng as _;
use sha2::{Digest as _, Sha256};

use super::certificate::{Authority, CertificateTemplate, signed};
use super::crl::CrlTemplate;
use super::guest::Guest;
use crate::rsa_key::RsaKey;
use crate::{EmulatorError, Seed};

/// A vendor of SEV-SNP silicon that grows from a seed. Keys are made when they are first needed,
/// and kept; clones share them.
#[derive(Clone)]
pub struct SnpSilicon {
    inner: Arc<Inner>,
}

struct Inner {
    seed: Seed,
    milan: Authorities,
    genoa: Authorities,
    turin: Authorities,
    /// Signatures of the authorities, by SHA-256 of signer and message: they depend on nothing
    /// else, and a guest needs the same ones again and again.
    signatures: Mutex<HashMap<[u8; 32], Vec<u8>>>,
}

#[derive(Default)]
struct Authorities {
    ark: OnceLock<RsaKey>,
    ask: OnceLock<RsaKey>,
    asvk: OnceLock<RsaKey>,
}

/// So many signatures are kept; then all are dropped.
const MAX_SIGNATURES: usize = 256;

/// Which endorsement key: as in hardware, another chip or another TCB version has another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementKeyId {
    /// The product line.
    pub product: Product,
    /// VCEK or VLEK.
    pub kind: KeyKind,
    /// The TCB version that the key is derived with.
    pub tcb: TcbVersion,
    /// Whose secret it is derived from: for a VCEK the chip id, for a VLEK the cloud provider's
    /// name.
    pub owner: Vec<u8>,
}

/// The key that signs reports. `Debug` does not show it.
pub struct EndorsementKey {
    key: SigningKey,
}

impl fmt::Debug for SnpSilicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnpSilicon({:?})", self.inner.seed)
    }
}

impl fmt::Debug for EndorsementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndorsementKey(private)")
    }
}

impl SnpSilicon {
    /// The silicon of `seed`. Nothing is computed yet.
    pub fn new(seed: Seed) -> Self {
        SnpSilicon {
            inner: Arc::new(Inner {
                seed,
                milan: Authorities::default(),
                genoa: Authorities::default(),
                turin: Authorities::default(),
                signatures: Mutex::default(),
            }),
        }
    }

    /// A guest on this silicon, with a VCEK.
    pub fn guest<'edits>(&self, product: Product) -> Guest<'edits> {
        Guest::new(self, product, KeyKind::Vcek)
    }

    /// Signs a certificate; DER.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn issue(&self, template: &CertificateTemplate) -> Result<Vec<u8>, EmulatorError> {
        let to_be_signed = template.to_be_signed()?;
        let signature = self.sign(template.signer, &to_be_signed);
        Ok(signed(&to_be_signed, template.parameters, signature, template.broken_signature))
    }

    /// Signs a revocation list; DER.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn issue_crl(&self, template: &CrlTemplate) -> Result<Vec<u8>, EmulatorError> {
        let to_be_signed = template.to_be_signed()?;
        let signature = self.sign(template.signer, &to_be_signed);
        Ok(signed(&to_be_signed, template.parameters, signature, template.broken_signature))
    }

    /// The key that signs reports of that chip or provider.
    pub fn endorsement_key(&self, id: &EndorsementKeyId) -> EndorsementKey {
        let label = format!(
            "snp/{}/{}/{}/{}",
            id.product,
            id.kind.path(),
            hex::encode(id.tcb.to_bytes(id.product.tcb_layout())),
            hex::encode(&id.owner)
        );
        let mut stream = self.inner.seed.stream(&label);
        loop {
            let mut scalar = [0; 48];
            stream.fill_bytes(&mut scalar);
            // Refused with a probability of 2^-189: zero, or not below the order of the curve.
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                return EndorsementKey { key };
            }
        }
    }

    /// The id of the emulated chip: 64 bytes, on Turin 8 and then zeros.
    pub fn chip_id(&self, product: Product) -> [u8; 64] {
        let mut id = [0; 64];
        self.bytes(&format!("snp/{product}/chip id"), id.get_mut(..product.hwid_len()).unwrap_or_default());
        id
    }

    /// The SubjectPublicKeyInfo of an authority's key, DER.
    pub fn authority_public_key(&self, product: Product, authority: Authority) -> Vec<u8> {
        self.authority_key((product, authority)).public_key_info()
    }

    /// Makes the keys of several authorities at once, each on a thread of its own, where they are
    /// not there yet. What needs one key only makes it by itself.
    pub(crate) fn prepare(&self, authorities: &[(Product, Authority)]) {
        std::thread::scope(|scope| {
            for authority in authorities {
                if self.slot(*authority).get().is_none() {
                    scope.spawn(|| self.authority_key(*authority));
                }
            }
        });
    }

    /// Fills `bytes` with what follows from the seed and `label`.
    pub(super) fn bytes(&self, label: &str, bytes: &mut [u8]) {
        self.inner.seed.stream(label).fill_bytes(bytes);
    }

    fn slot(&self, (product, authority): (Product, Authority)) -> &OnceLock<RsaKey> {
        let authorities = match product {
            Product::Milan => &self.inner.milan,
            Product::Genoa => &self.inner.genoa,
            Product::Turin => &self.inner.turin,
        };
        match authority {
            Authority::Ark => &authorities.ark,
            Authority::Ask => &authorities.ask,
            Authority::Asvk => &authorities.asvk,
        }
    }

    fn authority_key(&self, (product, authority): (Product, Authority)) -> &RsaKey {
        let name = match authority {
            Authority::Ark => "ark",
            Authority::Ask => "ask",
            Authority::Asvk => "asvk",
        };
        self.slot((product, authority))
            .get_or_init(|| RsaKey::derive(&self.inner.seed, &format!("snp/{product}/{name}")))
    }

    fn sign(&self, signer: (Product, Authority), message: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(format!("{signer:?}"));
        hash.update(message);
        let id: [u8; 32] = hash.finalize().into();
        let known = || self.inner.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signature) = known().get(&id) {
            return signature.clone();
        }
        let signature = self.authority_key(signer).sign(message);
        let mut known = known();
        if known.len() >= MAX_SIGNATURES {
            known.clear();
        }
        known.insert(id, signature.clone());
        signature
    }
}

impl EndorsementKey {
    /// The public key as SubjectPublicKeyInfo: id-ecPublicKey, secp384r1, uncompressed; DER.
    #[expect(clippy::expect_used, reason = "a point of the curve always has a DER form")]
    pub fn public_key_info(&self) -> Vec<u8> {
        self.key.verifying_key().to_public_key_der().expect("P-384 public key in DER").into_vec()
    }

    /// ECDSA with SHA-384 over the signed part of a report (RFC 6979: no randomness).
    pub fn sign(&self, report: &[u8; assay_tee_snp::evidence::REPORT_LEN]) -> Signature {
        let (signed, _) = report.split_at(SIGNED_LEN);
        let signature: p384::ecdsa::Signature = self.key.sign(signed);
        Signature::from_fixed(&signature.to_bytes().into())
    }

    /// Signs the report as its fields stand.
    pub fn sign_report(&self, report: &mut Report) {
        report.signature = self.sign(&report.to_bytes());
    }
}
