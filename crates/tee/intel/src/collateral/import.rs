//! Files with many pieces of collateral, taken apart into entries of a cache.

mod pcs_client_tool;
mod white_space;

use assay_types::{CollateralRequest, ServedCollateral};
use assay_x509::{Crl, Der, split_pem};
use bytes::Bytes;

use super::envelope::{Envelope, signature};
use super::json::BadJson;
use super::{
    EnclaveId, PckCa, QeIdentity, TcbInfo, UpdateChannel, pck_crl_request, qe_identity_request,
    root_crl_request, tcb_info_request, v3,
};
use crate::roots::ROOT_NAME;

/// The longest file that is read, in bytes: TCB info of all platforms has some 2 MiB.
const MAX_FILE_LEN: usize = 64 << 20;

/// A file that cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCollateral(String);

impl From<BadJson> for NotCollateral {
    fn from(e: BadJson) -> Self {
        NotCollateral(e.to_string())
    }
}

impl NotCollateral {
    fn new(what: impl Into<String>) -> Self {
        NotCollateral(what.into())
    }

    /// The same, said of `what`.
    fn of(self, what: &str) -> Self {
        NotCollateral(format!("{what}: {}", self.0))
    }
}

/// An entry of a cache.
type Entry = (CollateralRequest, Bytes);

/// Takes a file apart: the JSON of a `QuoteCollateralV3`, or what Intel's PcsClientTool writes
/// (`platform_collaterals.json`). Each piece comes with the request that it answers. The former does
/// not say which channel its TCB info and identity are of; they are taken to be of `channel`. Nothing
/// is verified here; [`IntelInspector`](super::IntelInspector) does.
///
/// PcsClientTool writes the documents anew, with white space that the signed text has not. So white
/// space outside strings is taken out of them, and nothing else changed. A PCK certificate chain in a
/// `QuoteCollateralV3` is left out: requests name platforms by their encrypted id, which it has not.
///
/// # Errors
/// [`NotCollateral`]: the file has another form, or a piece in it cannot be read.
pub fn split_collateral(bytes: &[u8], channel: UpdateChannel) -> Result<Vec<Entry>, NotCollateral> {
    if bytes.len() > MAX_FILE_LEN {
        return Err(NotCollateral(format!("{} bytes, at most {MAX_FILE_LEN} are read", bytes.len())));
    }
    let envelope = Envelope::read(bytes)?;
    if let Some(collaterals) = envelope.raw("collaterals") {
        return pcs_client_tool::entries(&Envelope::read(collaterals.as_bytes())?);
    }
    if !v3::is_like(&envelope) {
        return Err(NotCollateral::new(
            "neither a QuoteCollateralV3 nor the output of PcsClientTool (no member \"collaterals\")",
        ));
    }
    let mut entries = Vec::new();
    for (name, member) in [("tcb_info", "tcbInfo"), ("qe_identity", "enclaveIdentity")] {
        let Some(text) = envelope.text(name)? else { continue };
        let body = match envelope.text(&format!("{name}_signature"))? {
            Some(signed) => {
                signature(&format!("{name}_signature"), &signed)?;
                format!("{{\"{member}\":{text},\"signature\":\"{signed}\"}}")
            }
            None => text,
        };
        let chain = envelope.text(&format!("{name}_issuer_chain"))?.unwrap_or_default();
        entries.push(document(&body, chain, channel).map_err(|e| e.of(name))?);
    }
    let chain = envelope.text("pck_crl_issuer_chain")?.unwrap_or_default();
    for name in ["pck_crl", "root_ca_crl"] {
        if let Some(text) = envelope.text(name)? {
            entries.push(crl(&text, &chain).map_err(|e| e.of(name))?);
        }
    }
    Ok(entries)
}

/// A document as served: `{"tcbInfo": …, "signature": …}`, or with `enclaveIdentity`.
fn document(body: &str, issuer_chain: String, channel: UpdateChannel) -> Result<Entry, NotCollateral> {
    let envelope = Envelope::read(body.as_bytes())?;
    let of_document = |e: super::BadDocument| NotCollateral(e.to_string());
    let request = match (envelope.raw("tcbInfo"), envelope.raw("enclaveIdentity")) {
        (Some(info), None) => {
            let info = TcbInfo::read(info).map_err(of_document)?;
            tcb_info_request(info.family, info.fmspc, channel)
        }
        (None, Some(identity)) => match QeIdentity::read(identity).map_err(of_document)?.id {
            EnclaveId::Quoting(family) => qe_identity_request(family, channel),
            EnclaveId::Verification => return Err(NotCollateral::new("the identity of no quoting enclave")),
        },
        _ => return Err(NotCollateral::new("expected a member tcbInfo or enclaveIdentity")),
    };
    let served = ServedCollateral { issuer_chain, body: body.as_bytes().to_vec() };
    Ok((request, served.to_bytes()))
}

/// A revocation list, DER in hexadecimal digits or PEM.
fn crl(text: &str, issuer_chain: &str) -> Result<Entry, NotCollateral> {
    let bytes = hex::decode(text.trim()).unwrap_or_else(|_| text.as_bytes().to_vec());
    let der = match split_pem(&bytes).map_err(|e| NotCollateral(e.to_string()))?.pop() {
        Some(Der::Crl(der) | Der::Unlabelled(der)) => der,
        _ => return Err(NotCollateral::new("not a revocation list")),
    };
    let crl = Crl::from_der(&der).map_err(|e| NotCollateral(format!("not a revocation list: {e}")))?;
    match crl.issuer.common_name() {
        Some(ROOT_NAME) => Ok((root_crl_request(), der.into())),
        Some(name) if let Some(ca) = PckCa::from_common_name(name) => {
            let served = ServedCollateral { issuer_chain: issuer_chain.to_owned(), body: der };
            Ok((pck_crl_request(ca), served.to_bytes()))
        }
        _ => Err(NotCollateral(format!("the revocation list of {}", crl.issuer))),
    }
}
