//! What the provisioning certification service says: answers to requests of the PCS API v4, and to the one
//! request that a caching service (PCCS) has besides. No network here.

use super::certificate::pem;
use super::collateral::{Channel, Collateral};
use super::pck::{PckCa, Platform};
use super::signed_json::IssuedJson;
use crate::EmulatorError;

/// A request: path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcsRequest {
    path: String,
    query: Vec<(String, String)>,
}

impl PcsRequest {
    /// Takes a path with or without a query, such as `/tdx/certification/v4/tcb?fmspc=00A55A000000`. Names and
    /// values in it are letters, digits and a few signs, so nothing is decoded.
    pub fn new(path_and_query: &str) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let query = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        PcsRequest { path: path.to_owned(), query }
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn hex(&self, name: &str) -> Option<Vec<u8>> {
        hex::decode(self.value(name)?).ok()
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcsAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that mean something, the type of the body among them.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl PcsAnswer {
    fn ok(content_type: &str, body: Vec<u8>) -> Self {
        PcsAnswer { status: 200, headers: vec![("Content-Type", content_type.to_owned())], body }
    }

    fn status(status: u16) -> Self {
        PcsAnswer { status, headers: Vec::new(), body: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The largest encrypted PPID, RSA-3072.
const MAX_PPID: usize = 384;

impl Collateral {
    /// The answer of the service: 200, 400 where a parameter is missing or wrong, 404 for what it does not
    /// know. Served are
    /// - `/sgx/certification/v4/tcb` and `/tdx/certification/v4/tcb` with `fmspc`,
    /// - `/sgx/certification/v4/qe/identity` and `/tdx/certification/v4/qe/identity`, all four with
    ///   `update=early|standard` or `tcbEvaluationDataNumber`,
    /// - `/sgx/certification/v4/pckcrl` with `ca=platform|processor` and `encoding=pem|der`,
    /// - `/sgx/certification/v4/pckcert` with `encrypted_ppid`, `cpusvn`, `pcesvn`, `pceid`,
    /// - `/IntelSGXRootCA.der`, the root's list, which Intel has on another host,
    /// - `/sgx/certification/v4/rootcacrl`, the same in hexadecimal, which only caching services have.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn answer(&self, request: &PcsRequest) -> Result<PcsAnswer, EmulatorError> {
        match request.path() {
            "/sgx/certification/v4/tcb" => self.tcb_info(request, false),
            "/tdx/certification/v4/tcb" => self.tcb_info(request, true),
            "/sgx/certification/v4/qe/identity" => self.identity(request, false),
            "/tdx/certification/v4/qe/identity" => self.identity(request, true),
            "/sgx/certification/v4/pckcrl" => self.pck_crl(request),
            "/sgx/certification/v4/pckcert" => self.pck_certificate(request),
            "/IntelSGXRootCA.der" => Ok(PcsAnswer::ok("application/pkix-crl", self.root_crl.issue()?)),
            "/sgx/certification/v4/rootcacrl" => {
                let text = hex::encode(self.root_crl.issue()?);
                Ok(PcsAnswer::ok("application/pkix-crl", text.into_bytes()))
            }
            _ => Ok(PcsAnswer::status(404)),
        }
    }

    /// This collateral in the channel that the request asks for; the status of the refusal otherwise.
    fn of_channel(&self, request: &PcsRequest) -> Result<Collateral, u16> {
        match (request.value("update"), request.value("tcbEvaluationDataNumber")) {
            (None | Some("standard"), None) => Ok(self.clone()),
            (Some("early"), None) => Ok(self.clone().channel(Channel::Early)),
            (None, Some(number)) => {
                let number: u64 = number.parse().map_err(|_| 400_u16)?;
                if number == self.tdx_tcb_info.content.tcb_evaluation_data_number {
                    Ok(self.clone())
                } else if number == self.early_number {
                    Ok(self.clone().channel(Channel::Early))
                } else {
                    Err(404)
                }
            }
            _ => Err(400),
        }
    }

    fn tcb_info(&self, request: &PcsRequest, tdx: bool) -> Result<PcsAnswer, EmulatorError> {
        let Some(fmspc) = request.hex("fmspc").filter(|fmspc| fmspc.len() == 6) else {
            return Ok(PcsAnswer::status(400));
        };
        if fmspc != self.platform.fmspc {
            return Ok(PcsAnswer::status(404));
        }
        let of_channel = match self.of_channel(request) {
            Ok(of_channel) => of_channel,
            Err(status) => return Ok(PcsAnswer::status(status)),
        };
        let info = if tdx { of_channel.tdx_tcb_info } else { of_channel.sgx_tcb_info };
        let chain = self.tcb_signing_chain()?;
        Ok(PcsAnswer::ok("application/json", body("tcbInfo", &info.issue()))
            .with("TCB-Info-Issuer-Chain", url_encoded(&chain)))
    }

    fn identity(&self, request: &PcsRequest, tdx: bool) -> Result<PcsAnswer, EmulatorError> {
        let of_channel = match self.of_channel(request) {
            Ok(of_channel) => of_channel,
            Err(status) => return Ok(PcsAnswer::status(status)),
        };
        let identity = if tdx { of_channel.td_qe_identity } else { of_channel.qe_identity };
        let chain = self.tcb_signing_chain()?;
        Ok(PcsAnswer::ok("application/json", body("enclaveIdentity", &identity.issue()))
            .with("SGX-Enclave-Identity-Issuer-Chain", url_encoded(&chain)))
    }

    fn pck_crl(&self, request: &PcsRequest) -> Result<PcsAnswer, EmulatorError> {
        let ca = match request.value("ca") {
            Some("platform") => PckCa::Platform,
            Some("processor") => PckCa::Processor,
            _ => return Ok(PcsAnswer::status(400)),
        };
        let der = self.crl(ca).issue()?;
        let answer = match request.value("encoding") {
            Some("der") => PcsAnswer::ok("application/pkix-crl", der),
            None | Some("pem") => PcsAnswer::ok("application/x-pem-file", pem("X509 CRL", &der).into_bytes()),
            _ => return Ok(PcsAnswer::status(400)),
        };
        Ok(answer.with("SGX-PCK-CRL-Issuer-Chain", url_encoded(&self.ca_chain(ca)?)))
    }

    fn pck_certificate(&self, request: &PcsRequest) -> Result<PcsAnswer, EmulatorError> {
        let parameters = (
            request.hex("encrypted_ppid").filter(|ppid| matches!(ppid.len(), 256 | MAX_PPID)),
            request.hex("cpusvn").and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()),
            request.hex("pcesvn").and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()),
            request.hex("pceid").and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()),
        );
        let (Some(ppid), Some(cpu_svn), Some(pce_svn), Some(pce_id)) = parameters else {
            return Ok(PcsAnswer::status(400));
        };
        // The platform is known by its PPID alone; of it there is a certificate for every TCB.
        if pce_id != self.platform.pce_id || ppid != self.silicon.encrypted_ppid(&self.platform, ppid.len()) {
            return Ok(PcsAnswer::status(404));
        }
        let pce_svn = u16::from_le_bytes(pce_svn);
        let same = cpu_svn == self.platform.cpu_svn && pce_svn == self.platform.pce_svn;
        let certificate = if same {
            self.pck.clone()
        } else {
            let mut platform: Platform = self.platform.clone();
            platform.set_cpu_svn(cpu_svn);
            platform.pce_svn = pce_svn;
            self.silicon.pck_certificate(&platform)
        };
        let body = pem("CERTIFICATE", &certificate.issue()?).into_bytes();
        let ca = self.platform.ca;
        Ok(PcsAnswer::ok("application/x-pem-file", body)
            .with("SGX-PCK-Certificate-Issuer-Chain", url_encoded(&self.ca_chain(ca)?))
            .with("SGX-TCBm", hex::encode_upper([cpu_svn.as_slice(), &pce_svn.to_le_bytes()].concat()))
            .with("SGX-FMSPC", hex::encode_upper(self.platform.fmspc))
            .with("SGX-PCK-Certificate-CA-Type", ca.as_str().to_owned()))
    }
}

/// `{"<name>":<text as it was signed>,"signature":"<hexadecimal>"}`.
fn body(name: &str, json: &IssuedJson) -> Vec<u8> {
    format!(r#"{{"{name}":{},"signature":"{}"}}"#, json.text, hex::encode(&json.signature)).into_bytes()
}

/// Percent-encoding of everything but letters, digits and `-._~` (RFC 3986, 2.3).
fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
