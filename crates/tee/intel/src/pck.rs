//! The SGX extension of PCK certificates, 1.2.840.113741.1.13.1 (Intel PCK certificate specification,
//! section 1.3.5): a SEQUENCE of members, each a SEQUENCE of an object identifier and a value.

use std::fmt;

use assay_x509::Extension;
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Reader, SliceReader};

/// The object identifier of the extension.
pub(crate) const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// More members than any sequence of the extension has.
const MAX_MEMBERS: usize = 64;

/// How the platform protects memory (`SGXType`, ENUMERATED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgxType {
    /// 0: integrity and replay protection by a tree.
    Standard,
    /// 1: encryption alone.
    Scalable,
    /// 2: encryption with integrity.
    ScalableWithIntegrity,
}

impl SgxType {
    /// The name in claims, as Trustee gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            SgxType::Standard => "Standard",
            SgxType::Scalable => "Scalable",
            SgxType::ScalableWithIntegrity => "Scalable with Integrity",
        }
    }
}

impl fmt::Display for SgxType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a platform with a platform instance id is set up; each member may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Whether packages can be added.
    pub dynamic_platform: Option<bool>,
    /// Whether Intel's registration service keeps the platform's root keys.
    pub cached_keys: Option<bool>,
    /// Whether simultaneous multithreading is on.
    pub smt_enabled: Option<bool>,
}

/// What a PCK certificate says of the platform and of the TCB that the key is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PckExtensions {
    /// Platform provisioning id, 16 bytes.
    pub ppid: [u8; 16],
    /// The versions of the 16 TCB components.
    pub components: [u8; 16],
    /// PCESVN.
    pub pce_svn: u16,
    /// CPUSVN, 16 bytes as reports have it.
    pub cpu_svn: [u8; 16],
    /// Identifier of the provisioning certification enclave, 2 bytes.
    pub pce_id: [u8; 2],
    /// Family, model, stepping, platform type and custom SKU, 6 bytes.
    pub fmspc: [u8; 6],
    /// How memory is protected.
    pub sgx_type: SgxType,
    /// Platform instance id, 16 bytes; in certificates of the platform CA.
    pub platform_instance_id: Option<[u8; 16]>,
    /// In certificates of the platform CA.
    pub configuration: Option<Configuration>,
    /// Members that are not known, by object identifier. They are passed over.
    pub unknown: Vec<String>,
}

/// An extension that cannot be used: which member, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}")]
pub struct BadExtensions {
    /// The member's name, such as `TCB.PCESVN`.
    pub member: String,
    /// What is wrong.
    pub problem: String,
}

fn bad(member: &str, problem: impl Into<String>) -> BadExtensions {
    BadExtensions { member: member.to_owned(), problem: problem.into() }
}

/// The members of a sequence, by the last arc of their object identifiers.
struct Members<'a> {
    name: &'static str,
    values: Vec<(ObjectIdentifier, &'a [u8])>,
}

impl<'a> Members<'a> {
    fn read(name: &'static str, der: &'a [u8]) -> Result<Self, BadExtensions> {
        let values =
            Self::read_values(der).map_err(|e| bad(name, format!("not a SEQUENCE of members: {e}")))?;
        if values.len() > MAX_MEMBERS {
            return Err(bad(name, format!("{} members, at most {MAX_MEMBERS} are read", values.len())));
        }
        for (i, (oid, _)) in values.iter().enumerate() {
            if values.iter().take(i).any(|(known, _)| known == oid) {
                return Err(bad(name, format!("member {oid} stands twice")));
            }
        }
        Ok(Members { name, values })
    }

    fn read_values(der: &'a [u8]) -> Result<Vec<(ObjectIdentifier, &'a [u8])>, der::Error> {
        let mut reader = SliceReader::new(der)?;
        let mut values = Vec::new();
        reader.sequence(|members| {
            while !members.is_finished() {
                let member = members
                    .sequence(|r| Ok::<_, der::Error>((ObjectIdentifier::decode(r)?, r.tlv_bytes()?)))?;
                values.push(member);
            }
            Ok::<_, der::Error>(())
        })?;
        reader.finish()?;
        Ok(values)
    }

    /// Takes out the member `parent`.`arc`.
    fn take<T>(
        &mut self,
        name: &str,
        parent: ObjectIdentifier,
        arc: u32,
        decode: impl Fn(&'a [u8]) -> Result<T, String>,
    ) -> Result<Option<T>, BadExtensions> {
        let name =
            if self.name == "SGX extension" { name.to_owned() } else { format!("{}.{name}", self.name) };
        let oid = parent.push_arc(arc).map_err(|e| bad(&name, e.to_string()))?;
        let Some(at) = self.values.iter().position(|(known, _)| *known == oid) else { return Ok(None) };
        let (_, value) = self.values.swap_remove(at);
        decode(value).map(Some).map_err(|problem| bad(&name, problem))
    }

    fn need<T>(
        &mut self,
        name: &str,
        parent: ObjectIdentifier,
        arc: u32,
        decode: impl Fn(&'a [u8]) -> Result<T, String>,
    ) -> Result<T, BadExtensions> {
        let path =
            if self.name == "SGX extension" { name.to_owned() } else { format!("{}.{name}", self.name) };
        self.take(name, parent, arc, decode)?.ok_or_else(|| bad(&path, "missing"))
    }
}

fn octets<const N: usize>(der: &[u8]) -> Result<[u8; N], String> {
    let octets = <&OctetStringRef>::from_der(der).map_err(|e| format!("not an OCTET STRING: {e}"))?;
    let bytes = octets.as_bytes();
    bytes.try_into().map_err(|_| format!("{} bytes, expected {N}", bytes.len()))
}

fn byte(der: &[u8]) -> Result<u8, String> {
    u8::from_der(der).map_err(|e| format!("not an INTEGER from 0 to 255: {e}"))
}

fn word(der: &[u8]) -> Result<u16, String> {
    u16::from_der(der).map_err(|e| format!("not an INTEGER from 0 to 65535: {e}"))
}

fn boolean(der: &[u8]) -> Result<bool, String> {
    bool::from_der(der).map_err(|e| format!("not a BOOLEAN: {e}"))
}

fn sgx_type(der: &[u8]) -> Result<SgxType, String> {
    match der {
        [10, 1, 0] => Ok(SgxType::Standard),
        [10, 1, 1] => Ok(SgxType::Scalable),
        [10, 1, 2] => Ok(SgxType::ScalableWithIntegrity),
        _ => Err("not an ENUMERATED from 0 to 2".to_owned()),
    }
}

fn raw(der: &[u8]) -> Result<&[u8], String> {
    Ok(der)
}

impl PckExtensions {
    /// Finds the extension among those of a certificate and reads it.
    ///
    /// # Errors
    /// [`BadExtensions`]: it is not there, or as [`PckExtensions::from_der`].
    pub fn find(extensions: &[Extension]) -> Result<Self, BadExtensions> {
        let extension =
            extensions.iter().find(|extension| extension.extn_id == SGX_EXTENSION).ok_or_else(|| {
                bad("SGX extension", format!("the certificate has no extension {SGX_EXTENSION}"))
            })?;
        Self::from_der(extension.extn_value.as_bytes())
    }

    /// Reads the extension's value from DER.
    ///
    /// # Errors
    /// [`BadExtensions`]: a member that is missing, stands twice, or is of another type or length.
    pub fn from_der(der: &[u8]) -> Result<Self, BadExtensions> {
        let mut top = Members::read("SGX extension", der)?;
        let root = SGX_EXTENSION;
        let ppid = top.need("PPID", root, 1, octets)?;
        let tcb_oid = root.push_arc(2).map_err(|e| bad("TCB", e.to_string()))?;
        let mut tcb = Members::read("TCB", top.need("TCB", root, 2, raw)?)?;
        let mut components = [0; 16];
        for (arc, component) in (1..).zip(components.iter_mut()) {
            *component = tcb.need(&format!("SGXTCBCOMP{arc:02}SVN"), tcb_oid, arc, byte)?;
        }
        let pce_svn = tcb.need("PCESVN", tcb_oid, 17, word)?;
        let cpu_svn = tcb.need("CPUSVN", tcb_oid, 18, octets)?;
        let pce_id = top.need("PCEID", root, 3, octets)?;
        let fmspc = top.need("FMSPC", root, 4, octets)?;
        let sgx_type = top.need("SGXType", root, 5, sgx_type)?;
        let platform_instance_id = top.take("PlatformInstanceID", root, 6, octets)?;
        let mut unknown = Vec::new();
        let configuration = match top.take("Configuration", root, 7, raw)? {
            None => None,
            Some(der) => {
                let parent = root.push_arc(7).map_err(|e| bad("Configuration", e.to_string()))?;
                let mut members = Members::read("Configuration", der)?;
                let configuration = Configuration {
                    dynamic_platform: members.take("DynamicPlatform", parent, 1, boolean)?,
                    cached_keys: members.take("CachedKeys", parent, 2, boolean)?,
                    smt_enabled: members.take("SMTEnabled", parent, 3, boolean)?,
                };
                unknown.extend(members.values.iter().map(|(oid, _)| oid.to_string()));
                Some(configuration)
            }
        };
        unknown.extend(tcb.values.iter().chain(&top.values).map(|(oid, _)| oid.to_string()));
        Ok(PckExtensions {
            ppid,
            components,
            pce_svn,
            cpu_svn,
            pce_id,
            fmspc,
            sgx_type,
            platform_instance_id,
            configuration,
            unknown,
        })
    }
}
