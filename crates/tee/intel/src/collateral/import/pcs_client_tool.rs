//! What Intel's PcsClientTool writes: an object with the member `collaterals`, in which stand
//!
//! - `tcbinfos`: a list of objects with `fmspc`, and the answers `sgx_tcbinfo`, `tdx_tcbinfo` (of API v3:
//!   `tcbinfo`) and the same with `_early` behind, each as an object;
//! - `qeidentity`, `tdqeidentity`, also with `_early` behind: the answers as strings;
//! - `pckcacrl`: an object with `processorCrl` and `platformCrl`; `rootcacrl`: DER in hexadecimal digits;
//! - `pck_certs`: for each platform `enc_ppid`, `pce_id`, and `certs`, each with `tcbm` (CPUSVN and PCESVN
//!   in hexadecimal digits) and `cert` (PEM, percent-encoded);
//! - `certificates`: the issuer chains by the names of the headers they came in, percent-encoded; that
//!   of PCK certificates by `PROCESSOR` and `PLATFORM`.
//!
//! Empty strings stand for what the tool did not get. Other members are passed over.

use assay_types::ServedCollateral;
use serde_json::value::RawValue;

use super::{Entry, NotCollateral, crl, document, white_space};
use crate::collateral::envelope::Envelope;
use crate::collateral::json::BadJson;
use crate::collateral::pieces;
use crate::collateral::{PckCa, PlatformIds, UpdateChannel, pck_certificate_request};

const MAX_ELEMENTS: usize = 4096;
/// The names of the members without and with the suffix of the early channel.
const CHANNELS: [(&str, UpdateChannel); 2] =
    [("", UpdateChannel::Standard), ("_early", UpdateChannel::Early)];

pub(super) fn entries(collaterals: &Envelope<'_>) -> Result<Vec<Entry>, NotCollateral> {
    let chains = Chains::read(collaterals)?;
    let mut entries = Vec::new();
    for (index, info) in elements(collaterals, "tcbinfos")?.into_iter().enumerate() {
        let info = Envelope::read(info.get().as_bytes())?;
        for (suffix, channel) in CHANNELS {
            for name in ["sgx_tcbinfo", "tdx_tcbinfo", "tcbinfo"] {
                let name = format!("{name}{suffix}");
                if let Some(body) = answer(&info, &name)? {
                    let entry = document(&body, chains.tcb_info.clone(), channel);
                    entries.push(entry.map_err(|e| e.of(&format!("tcbinfos[{index}].{name}")))?);
                }
            }
        }
    }
    for (suffix, channel) in CHANNELS {
        for name in ["qeidentity", "tdqeidentity"] {
            let name = format!("{name}{suffix}");
            if let Some(body) = answer(collaterals, &name)? {
                entries.push(document(&body, chains.identity.clone(), channel).map_err(|e| e.of(&name))?);
            }
        }
    }
    if let Some(lists) = collaterals.raw("pckcacrl") {
        let lists = Envelope::read(lists.as_bytes())?;
        for (name, ca) in [("processorCrl", PckCa::Processor), ("platformCrl", PckCa::Platform)] {
            if let Some(text) = filled(&lists, name)? {
                entries.push(crl(&text, chains.of(ca)).map_err(|e| e.of(name))?);
            }
        }
    }
    if let Some(text) = filled(collaterals, "rootcacrl")? {
        entries.push(crl(&text, "").map_err(|e| e.of("rootcacrl"))?);
    }
    for (index, platform) in elements(collaterals, "pck_certs")?.into_iter().enumerate() {
        let platform = Envelope::read(platform.get().as_bytes())?;
        let added = pck_certificates(&platform, &chains).map_err(|e| e.of(&format!("pck_certs[{index}]")))?;
        entries.extend(added);
    }
    Ok(entries)
}

/// The issuer chains, decoded.
#[derive(Default)]
struct Chains {
    tcb_info: String,
    identity: String,
    processor: String,
    platform: String,
}

impl Chains {
    fn read(collaterals: &Envelope<'_>) -> Result<Self, NotCollateral> {
        let Some(certificates) = collaterals.raw("certificates") else { return Ok(Chains::default()) };
        let certificates = Envelope::read(certificates.as_bytes())?;
        let of = |envelope: &Envelope<'_>, name: &str| match filled(envelope, name)? {
            Some(text) => {
                percent_decoded(&text).ok_or_else(|| NotCollateral::new("wrong percent-encoding").of(name))
            }
            None => Ok(String::new()),
        };
        let [v4, v3] =
            ["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"].map(|name| of(&certificates, name));
        let (v4, v3) = (v4?, v3?);
        let mut chains = Chains {
            tcb_info: if v4.is_empty() { v3 } else { v4 },
            identity: of(&certificates, "SGX-Enclave-Identity-Issuer-Chain")?,
            ..Chains::default()
        };
        if let Some(pck) = certificates.raw("SGX-PCK-Certificate-Issuer-Chain") {
            let pck = Envelope::read(pck.as_bytes())?;
            chains.processor = of(&pck, "PROCESSOR")?;
            chains.platform = of(&pck, "PLATFORM")?;
        }
        Ok(chains)
    }

    fn of(&self, ca: PckCa) -> &str {
        match ca {
            PckCa::Platform => &self.platform,
            PckCa::Processor => &self.processor,
        }
    }
}

/// A string that is not empty.
fn filled(envelope: &Envelope<'_>, name: &str) -> Result<Option<String>, NotCollateral> {
    Ok(envelope.text(name)?.filter(|text| !text.is_empty()))
}

/// An answer of the service, as a string or as the object itself.
fn answer(envelope: &Envelope<'_>, name: &str) -> Result<Option<String>, NotCollateral> {
    match envelope.raw(name) {
        Some(object) if object.starts_with('{') => Ok(Some(white_space::removed(object))),
        _ => filled(envelope, name),
    }
}

fn elements<'a>(envelope: &Envelope<'a>, name: &str) -> Result<Vec<&'a RawValue>, NotCollateral> {
    let Some(array) = envelope.raw(name) else { return Ok(Vec::new()) };
    let elements: Vec<&RawValue> = serde_json::from_str(array).map_err(|e| BadJson::parser(name, &e))?;
    if elements.len() > MAX_ELEMENTS {
        let problem = format!("{} elements, at most {MAX_ELEMENTS} are read", elements.len());
        return Err(NotCollateral(problem).of(name));
    }
    Ok(elements)
}

/// The certificates of one platform. One that has no encrypted id cannot be asked for, and is left out.
fn pck_certificates(platform: &Envelope<'_>, chains: &Chains) -> Result<Vec<Entry>, NotCollateral> {
    let Some(ppid) = filled(platform, "enc_ppid")? else { return Ok(Vec::new()) };
    let encrypted_ppid = hex::decode(ppid).map_err(|e| NotCollateral(format!("enc_ppid: {e}")))?;
    let pce_id = bytes::<2>("pce_id", &Envelope::need("pce_id", platform.text("pce_id")?)?)?;
    let mut entries = Vec::new();
    for element in elements(platform, "certs")? {
        let element = Envelope::read(element.get().as_bytes())?;
        let [cpu_svn @ .., low, high] = bytes::<18>("tcbm", &Envelope::need("tcbm", element.text("tcbm")?)?)?;
        let text = Envelope::need("cert", element.text("cert")?)?;
        let pem = percent_decoded(&text).ok_or_else(|| NotCollateral::new("cert: wrong percent-encoding"))?;
        let certificates =
            pieces::certificates(pem.as_bytes()).map_err(|e| NotCollateral(format!("cert: {e}")))?;
        let issuer = certificates.first().and_then(|certificate| certificate.issuer.common_name());
        let ca = issuer
            .and_then(PckCa::from_common_name)
            .ok_or_else(|| NotCollateral::new("cert: not issued by a PCK CA"))?;
        let ids = PlatformIds {
            ppid: None,
            encrypted_ppid: Some(encrypted_ppid.clone()),
            cpu_svn,
            pce_svn: u16::from_le_bytes([low, high]),
            pce_id,
        };
        let request = pck_certificate_request(&ids)
            .ok_or_else(|| NotCollateral::new("enc_ppid: expected 256 or 384 bytes"))?;
        let served = ServedCollateral { issuer_chain: chains.of(ca).to_owned(), body: pem.into_bytes() };
        entries.push((request, served.to_bytes()));
    }
    Ok(entries)
}

fn bytes<const N: usize>(name: &str, text: &str) -> Result<[u8; N], NotCollateral> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|e| {
        NotCollateral(format!("{name}: expected {} hexadecimal digits: {e}", N.saturating_mul(2)))
    })?;
    Ok(bytes)
}

/// The text behind a percent-encoding (RFC 3986, section 2.1); a text without one is its own.
fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            out.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            out.push(*first);
        }
    }
    String::from_utf8(out).ok()
}
