//! PEM: the text form of certificates and lists (RFC 7468).

use base64::Engine as _;

use crate::NotDer;

/// A DER value taken out of a file that may be PEM.
#[derive(Debug, PartialEq, Eq)]
pub enum Der {
    /// A certificate.
    Certificate(Vec<u8>),
    /// A revocation list.
    Crl(Vec<u8>),
    /// Not PEM: DER, or nothing at all.
    Unlabelled(Vec<u8>),
}

/// Splits PEM text into its certificates and CRLs (RFC 7468); other bytes stay one value. At most
/// 16 values, since no chain needs more.
///
/// # Errors
/// [`NotDer`]: PEM that is cut off, holds something else, is not base64, or has more values.
pub fn split_pem(bytes: &[u8]) -> Result<Vec<Der>, NotDer> {
    const BEGIN: &str = "-----BEGIN ";
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(BEGIN) => text,
        _ => return Ok(vec![Der::Unlabelled(bytes.to_vec())]),
    };
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, body) = after.split_once("-----").ok_or_else(|| NotDer::new("PEM: no label"))?;
        let (body, after) = body
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| NotDer::new(format!("PEM: {label:.40?} has no end")))?;
        rest = after;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(body)
            .map_err(|e| NotDer::new(format!("PEM: {label:.40?} is not base64: {e}")))?;
        values.push(match label {
            "CERTIFICATE" => Der::Certificate(der),
            "X509 CRL" => Der::Crl(der),
            _ => return Err(NotDer::new(format!("PEM: {label:.40?} is neither a certificate nor a CRL"))),
        });
        if values.len() > 16 {
            return Err(NotDer::new("PEM: more than 16 values"));
        }
    }
    Ok(values)
}
