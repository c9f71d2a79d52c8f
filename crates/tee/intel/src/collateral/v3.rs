//! A JSON object with members of a `QuoteCollateralV3`, as several tools keep collateral. Any of the
//! members may be absent or null; any other is refused:
//!
//! - `tcb_info`, `qe_identity`: the document's text as a string, with `tcb_info_signature` and
//!   `qe_identity_signature` (128 hexadecimal digits) and `tcb_info_issuer_chain` and
//!   `qe_identity_issuer_chain` (PEM). Without a signature, the string is the answer as served, which
//!   has it inside;
//! - `root_ca_crl`, `pck_crl`: DER in hexadecimal digits, or PEM; `pck_crl_issuer_chain` (PEM);
//! - `pck_certificate_chain` (PEM).

use assay_types::CollateralOrigin;

use super::envelope::{Envelope, signature};
use super::json::BadJson;
use super::pieces::{Pieces, certificates};

const MEMBERS: &[&str] = &[
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "tcb_info",
    "tcb_info_signature",
    "qe_identity_issuer_chain",
    "qe_identity",
    "qe_identity_signature",
    "pck_certificate_chain",
];

/// Whether the object has such a member.
pub(crate) fn is_like(envelope: &Envelope<'_>) -> bool {
    MEMBERS.iter().any(|name| envelope.has(name))
}

/// Adds what the object has.
pub(crate) fn add(
    pieces: &mut Pieces,
    envelope: &Envelope<'_>,
    origin: &CollateralOrigin,
) -> Result<(), String> {
    if let Some(unknown) = envelope.unknown(MEMBERS) {
        return Err(format!("{unknown:.60?}: unknown member"));
    }
    if !is_like(envelope) {
        return Err("a JSON object without a piece of collateral".to_owned());
    }
    // Each piece is tried, so that every problem is found.
    let mut problems = Vec::new();
    for (member, added) in [
        ("tcb_info", document(pieces, envelope, "tcb_info", origin)),
        ("qe_identity", document(pieces, envelope, "qe_identity", origin)),
        ("root_ca_crl", x509(pieces, envelope, "root_ca_crl", origin)),
        ("pck_crl", x509(pieces, envelope, "pck_crl", origin)),
        ("pck_crl_issuer_chain", x509(pieces, envelope, "pck_crl_issuer_chain", origin)),
        ("pck_certificate_chain", x509(pieces, envelope, "pck_certificate_chain", origin)),
    ] {
        if let Err(problem) = added {
            problems.push(format!("{member}: {problem}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

fn x509(
    pieces: &mut Pieces,
    envelope: &Envelope<'_>,
    name: &str,
    origin: &CollateralOrigin,
) -> Result<(), String> {
    match envelope.text(name).map_err(|e| e.to_string())? {
        None => Ok(()),
        Some(text) if text.is_empty() => Err("empty".to_owned()),
        Some(text) => pieces.add_x509(text.trim_end_matches('\0').as_bytes(), origin),
    }
}

fn document(
    pieces: &mut Pieces,
    envelope: &Envelope<'_>,
    name: &str,
    origin: &CollateralOrigin,
) -> Result<(), String> {
    let words = |e: BadJson| e.to_string();
    let (signature_name, chain_name) = (format!("{name}_signature"), format!("{name}_issuer_chain"));
    let chain = envelope.text(&chain_name).map_err(words)?.unwrap_or_default();
    let chain = certificates(chain.as_bytes()).map_err(|e| format!("{chain_name}: {e}"))?;
    let text = envelope.text(name).map_err(words)?;
    let signed = envelope.text(&signature_name).map_err(words)?;
    match (text, signed) {
        (None, None) => {
            pieces.add_certificates(chain, origin);
            Ok(())
        }
        (None, Some(_)) => Err("missing, though its signature is there".to_owned()),
        (Some(text), None) => {
            let whole = Envelope::read(text.as_bytes()).map_err(words)?;
            if !whole.has("signature") {
                return Err(format!("{signature_name} is missing"));
            }
            pieces.add_signed(&whole, chain, origin).map_err(words)
        }
        (Some(text), Some(signed)) => {
            let signature = signature(&signature_name, &signed).map_err(words)?;
            let added = match name {
                "tcb_info" => pieces.add_tcb_info(text, signature, chain, origin),
                _ => pieces.add_identity(text, signature, chain, origin),
            };
            added.map_err(words)
        }
    }
}
