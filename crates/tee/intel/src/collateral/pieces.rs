//! The pieces of collateral that are at hand, read from whatever form they come in:
//!
//! - an answer with its issuer chain ([`ServedCollateral`]), whose body is one of the following;
//! - `{"tcbInfo": …, "signature": hex}` and `{"enclaveIdentity": …, "signature": hex}`, as served;
//! - a JSON object with members of a `QuoteCollateralV3` (see [`v3`](super::v3));
//! - certificates and revocation lists, PEM; one of them, DER or the hex of either.
//!
//! What cannot be read is a problem with a name, never passed over.

use std::sync::Arc;

use assay_types::{CollateralOrigin, CollateralSet, ServedCollateral};
use assay_x509::{Certificate, Crl, Der, split_pem};

use super::document::BadDocument;
use super::envelope::{Envelope, signature};
use super::json::BadJson;
use super::{QeIdentity, TcbInfo, v3};
use crate::anchors::MAX_CERTIFICATE_LEN;

/// The longest piece that is read, in bytes. An answer of [`MAX_COLLATERAL_LEN`](super::MAX_COLLATERAL_LEN)
/// is a third longer in base64.
const MAX_PIECE_LEN: usize = 4 << 20;
/// More pieces than any verification needs.
const MAX_PIECES: usize = 64;
const MAX_CERTIFICATES: usize = 64;
const MAX_DOCUMENTS: usize = 16;
const MAX_CRLS: usize = 16;

/// A certificate and where it came from.
#[derive(Clone)]
pub(crate) struct HeldCertificate {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) origin: CollateralOrigin,
}

/// A revocation list and where it came from.
pub(crate) struct HeldCrl {
    pub(crate) crl: Crl,
    pub(crate) origin: CollateralOrigin,
}

/// A document of an identifier or version that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) id: String,
    pub(crate) version: u64,
}

/// A signed document.
pub(crate) struct Document<T> {
    pub(crate) content: Result<Arc<T>, Unknown>,
    /// The exact text that the signature is over.
    pub(crate) text: String,
    pub(crate) signature: [u8; 64],
    /// The issuer chain as it came along; empty where none did.
    pub(crate) chain: Vec<Arc<Certificate>>,
    pub(crate) origin: CollateralOrigin,
}

/// Everything that is at hand.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) tcb_infos: Vec<Document<TcbInfo>>,
    pub(crate) identities: Vec<Document<QeIdentity>>,
    pub(crate) certificates: Vec<HeldCertificate>,
    pub(crate) crls: Vec<HeldCrl>,
    /// What could not be read, in words.
    pub(crate) problems: Vec<String>,
}

impl Pieces {
    /// Reads what is at hand.
    pub(crate) fn read(set: &CollateralSet) -> Self {
        let mut pieces = Pieces::default();
        if set.items.len() > MAX_PIECES {
            pieces.problems.push(format!("{} pieces, at most {MAX_PIECES} are read", set.items.len()));
        }
        for item in set.items.iter().take(MAX_PIECES) {
            let added = if item.bytes.len() > MAX_PIECE_LEN {
                Err(format!("{} bytes, at most {MAX_PIECE_LEN} are read", item.bytes.len()))
            } else {
                pieces.add(&item.bytes, &item.origin)
            };
            if let Err(problem) = added {
                pieces.problems.push(format!("{}: {problem}", whence(&item.origin)));
            }
        }
        for (what, found, most) in [
            ("certificates", pieces.certificates.len(), MAX_CERTIFICATES),
            ("revocation lists", pieces.crls.len(), MAX_CRLS),
            ("pieces of TCB info", pieces.tcb_infos.len(), MAX_DOCUMENTS),
            ("enclave identities", pieces.identities.len(), MAX_DOCUMENTS),
        ] {
            if found > most {
                pieces.problems.push(format!("{found} {what}, at most {most} are read"));
            }
        }
        pieces.certificates.truncate(MAX_CERTIFICATES);
        pieces.crls.truncate(MAX_CRLS);
        pieces.tcb_infos.truncate(MAX_DOCUMENTS);
        pieces.identities.truncate(MAX_DOCUMENTS);
        pieces
    }

    /// Adds a piece in any form.
    pub(crate) fn add(&mut self, bytes: &[u8], origin: &CollateralOrigin) -> Result<(), String> {
        match ServedCollateral::from_bytes(bytes) {
            Some(served) => {
                let chain = certificates(served.issuer_chain.as_bytes())
                    .map_err(|problem| format!("issuer chain: {problem}"))?;
                self.add_body(&served.body, chain, origin)
            }
            None => self.add_body(bytes, Vec::new(), origin),
        }
    }

    /// Adds the body of an answer, whose issuer chain is `chain`.
    fn add_body(
        &mut self,
        bytes: &[u8],
        chain: Vec<Arc<Certificate>>,
        origin: &CollateralOrigin,
    ) -> Result<(), String> {
        if !bytes.trim_ascii_start().starts_with(b"{") {
            self.add_certificates(chain, origin);
            return self.add_x509(bytes, origin);
        }
        let envelope = Envelope::read(bytes).map_err(|e| e.to_string())?;
        if envelope.has("tcbInfo") || envelope.has("enclaveIdentity") {
            self.add_signed(&envelope, chain, origin).map_err(|e| e.to_string())
        } else {
            self.add_certificates(chain, origin);
            v3::add(self, &envelope, origin)
        }
    }

    /// Adds `{"tcbInfo": …, "signature": …}` or the same with `enclaveIdentity`.
    pub(crate) fn add_signed(
        &mut self,
        envelope: &Envelope<'_>,
        chain: Vec<Arc<Certificate>>,
        origin: &CollateralOrigin,
    ) -> Result<(), BadJson> {
        let name = if envelope.has("tcbInfo") { "tcbInfo" } else { "enclaveIdentity" };
        if let Some(unknown) = envelope.unknown(&[name, "signature"]) {
            return Err(BadJson::new(format!("{unknown:.60?}"), "unknown member"));
        }
        let text = Envelope::need(name, envelope.raw(name))?;
        let signed = Envelope::need("signature", envelope.text("signature")?)?;
        let signature = signature("signature", &signed)?;
        match name {
            "tcbInfo" => self.add_tcb_info(text.to_owned(), signature, chain, origin),
            _ => self.add_identity(text.to_owned(), signature, chain, origin),
        }
    }

    /// Adds TCB info by its exact text.
    pub(crate) fn add_tcb_info(
        &mut self,
        text: String,
        signature: [u8; 64],
        chain: Vec<Arc<Certificate>>,
        origin: &CollateralOrigin,
    ) -> Result<(), BadJson> {
        let content = known(TcbInfo::read(&text))?;
        self.tcb_infos.push(Document { content, text, signature, chain, origin: origin.clone() });
        Ok(())
    }

    /// Adds an enclave identity by its exact text.
    pub(crate) fn add_identity(
        &mut self,
        text: String,
        signature: [u8; 64],
        chain: Vec<Arc<Certificate>>,
        origin: &CollateralOrigin,
    ) -> Result<(), BadJson> {
        let content = known(QeIdentity::read(&text))?;
        self.identities.push(Document { content, text, signature, chain, origin: origin.clone() });
        Ok(())
    }

    pub(crate) fn add_certificates(&mut self, chain: Vec<Arc<Certificate>>, origin: &CollateralOrigin) {
        for certificate in chain {
            self.certificates.push(HeldCertificate { certificate, origin: origin.clone() });
        }
    }

    /// Adds certificates and revocation lists: PEM, DER, or the hex of either.
    pub(crate) fn add_x509(&mut self, bytes: &[u8], origin: &CollateralOrigin) -> Result<(), String> {
        let unhexed = unhex(bytes);
        for value in split_pem(unhexed.as_deref().unwrap_or(bytes)).map_err(|e| e.to_string())? {
            match value {
                Der::Certificate(der) => self.add_certificates(vec![certificate(&der)?], origin),
                Der::Crl(der) => self.add_crl(&der, origin)?,
                Der::Unlabelled(der) if der.is_empty() => return Err("empty".to_owned()),
                Der::Unlabelled(der) => match certificate(&der) {
                    Ok(certificate) => self.add_certificates(vec![certificate], origin),
                    Err(not_certificate) => self.add_crl(&der, origin).map_err(|not_crl| {
                        format!("of no known form: not JSON, not PEM; {not_certificate}; {not_crl}")
                    })?,
                },
            }
        }
        Ok(())
    }

    fn add_crl(&mut self, der: &[u8], origin: &CollateralOrigin) -> Result<(), String> {
        let crl = Crl::from_der(der).map_err(|e| format!("not a revocation list: {e}"))?;
        self.crls.push(HeldCrl { crl, origin: origin.clone() });
        Ok(())
    }
}

/// A document of a known version, or which one it is of; one that is not of the form of its version is
/// an error.
fn known<T>(read: Result<T, BadDocument>) -> Result<Result<Arc<T>, Unknown>, BadJson> {
    match read {
        Ok(document) => Ok(Ok(Arc::new(document))),
        Err(BadDocument::Unknown { id, version }) => Ok(Err(Unknown { id, version })),
        Err(BadDocument::Form(e)) => Err(e),
    }
}

/// Bytes written as hexadecimal digits, with white space around.
fn unhex(bytes: &[u8]) -> Option<Vec<u8>> {
    // DER begins with 0x30, which is the digit 0 as well; but then comes a length, and hex is longer.
    let text = bytes.trim_ascii();
    (text.len() >= 8).then(|| hex::decode(text).ok()).flatten()
}

fn certificate(der: &[u8]) -> Result<Arc<Certificate>, String> {
    if der.len() > MAX_CERTIFICATE_LEN {
        return Err(format!("a certificate of {} bytes, at most {MAX_CERTIFICATE_LEN} are read", der.len()));
    }
    Certificate::from_der(der).map(Arc::new).map_err(|e| format!("not a certificate: {e}"))
}

/// The certificates of PEM text, or the one that is DER. Zero bytes at the end are none of it: Intel's
/// libraries end texts with one.
pub(crate) fn certificates(bytes: &[u8]) -> Result<Vec<Arc<Certificate>>, String> {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last.saturating_add(1));
    let bytes = bytes.get(..end).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let values = split_pem(bytes).map_err(|e| e.to_string())?;
    values
        .iter()
        .map(|value| match value {
            Der::Certificate(der) | Der::Unlabelled(der) => certificate(der),
            Der::Crl(_) => Err("a revocation list among certificates".to_owned()),
        })
        .collect()
}

/// Where a piece came from, in words.
pub(crate) fn whence(origin: &CollateralOrigin) -> String {
    match origin {
        CollateralOrigin::Bundled => "bundled".to_owned(),
        CollateralOrigin::Evidence => "sent with the evidence".to_owned(),
        CollateralOrigin::File(name) => format!("file {name:.200}"),
        CollateralOrigin::Folder(path) => format!("folder {path:.200}"),
        CollateralOrigin::Cache => "cache".to_owned(),
        CollateralOrigin::Service(url) => format!("service {url:.200}"),
        CollateralOrigin::ReferenceValue(name) => format!("reference value {name:.200}"),
        _ => "elsewhere".to_owned(),
    }
}
