//! AMD's extensions of VCEK and VLEK certificates (57230, sections 3.1 and 3.2).

use der::Decode;
use der::asn1::{Ia5StringRef, ObjectIdentifier, OctetStringRef};
use x509_cert::ext::Extension;

use crate::product::{KeyKind, Product};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const STRUCT_VERSION: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.1");
const PRODUCT_NAME: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.2");
const BL_SPL: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.1");
const TEE_SPL: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.2");
const SNP_SPL: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.3");
const RESERVED_SPL: [ObjectIdentifier; 4] = [
    oid("1.3.6.1.4.1.3704.1.3.4"),
    oid("1.3.6.1.4.1.3704.1.3.5"),
    oid("1.3.6.1.4.1.3704.1.3.6"),
    oid("1.3.6.1.4.1.3704.1.3.7"),
];
const UCODE_SPL: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.8");
const FMC_SPL: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.9");
const HW_ID: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.4");
const CSP_ID: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.5");

/// What the certificate of a signing key says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyExtensions {
    /// The product name, such as `Milan-B0`.
    pub(crate) product_name: String,
    pub(crate) bootloader: u8,
    pub(crate) tee: u8,
    pub(crate) snp: u8,
    pub(crate) microcode: u8,
    /// There on Turin.
    pub(crate) fmc: Option<u8>,
    /// The components 4 to 7 that no report has a field for; absent ones are zero.
    pub(crate) reserved: [u8; 4],
    /// 64 bytes, on Turin 8. There in a VCEK and nowhere else.
    pub(crate) hardware_id: Option<Vec<u8>>,
    /// The cloud provider's name. There in a VLEK and nowhere else.
    pub(crate) csp_id: Option<String>,
}

/// An extension that is missing, that should not be there, or that is encoded otherwise than in
/// DER: which, and what is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({oid}): {problem}")]
pub(crate) struct BadExtension {
    name: &'static str,
    oid: ObjectIdentifier,
    problem: String,
}

struct Extensions<'a>(&'a [Extension]);

impl<'a> Extensions<'a> {
    fn find(&self, oid: ObjectIdentifier) -> Option<&'a [u8]> {
        self.0.iter().find(|e| e.extn_id == oid).map(|e| e.extn_value.as_bytes())
    }

    fn optional<T>(
        &self,
        name: &'static str,
        oid: ObjectIdentifier,
        decode: impl Fn(&'a [u8]) -> Result<T, String>,
    ) -> Result<Option<T>, BadExtension> {
        self.find(oid).map(decode).transpose().map_err(|problem| BadExtension { name, oid, problem })
    }

    fn required<T>(
        &self,
        name: &'static str,
        oid: ObjectIdentifier,
        decode: impl Fn(&'a [u8]) -> Result<T, String>,
    ) -> Result<T, BadExtension> {
        self.optional(name, oid, decode)?.ok_or(BadExtension { name, oid, problem: "missing".to_owned() })
    }
}

/// A DER INTEGER from 0 to 255, in the shortest form.
fn number(value: &[u8]) -> Result<u8, String> {
    u8::from_der(value).map_err(|e| format!("not an INTEGER from 0 to 255: {e}"))
}

fn text(value: &[u8]) -> Result<String, String> {
    let text = Ia5StringRef::from_der(value).map_err(|e| format!("not an IA5String: {e}"))?;
    if text.as_str().len() > 256 {
        return Err("more than 256 characters".to_owned());
    }
    Ok(text.as_str().to_owned())
}

/// The id stands bare in most certificates, and within an OCTET STRING in some (both are known
/// from AMD); the lengths tell them apart. 64 bytes, or 8 from Turin on.
fn hardware_id(value: &[u8]) -> Result<Vec<u8>, String> {
    match value.len() {
        8 | 64 => Ok(value.to_vec()),
        10 | 66 => {
            let id = <&OctetStringRef>::from_der(value).map_err(|e| format!("not an OCTET STRING: {e}"))?;
            Ok(id.as_bytes().to_vec())
        }
        len => Err(format!("has {len} bytes, expected 8 or 64, bare or as an OCTET STRING")),
    }
}

impl KeyExtensions {
    /// Reads the extensions of a certificate of a key of `kind` of `product`.
    pub(crate) fn read(
        extensions: &[Extension],
        kind: KeyKind,
        product: Option<Product>,
    ) -> Result<Self, BadExtension> {
        let e = Extensions(extensions);
        let version = e.required("structVersion", STRUCT_VERSION, number)?;
        // Version 0 up to Genoa, 1 on Turin, where the FMC came.
        if version > 1 {
            let problem = format!("version {version} is not 0 or 1");
            return Err(BadExtension { name: "structVersion", oid: STRUCT_VERSION, problem });
        }
        let mut reserved = [0; 4];
        for (place, oid) in reserved.iter_mut().zip(RESERVED_SPL) {
            *place = e.optional("spl", oid, number)?.unwrap_or(0);
        }
        let hardware_id = e.optional("hwID", HW_ID, hardware_id)?;
        let csp_id = e.optional("csp_id", CSP_ID, text)?;
        let unexpected = |name, oid, there: bool, wanted: bool| match (there, wanted) {
            (true, false) => Err(BadExtension { name, oid, problem: format!("not expected in a {kind}") }),
            (false, true) => Err(BadExtension { name, oid, problem: "missing".to_owned() }),
            _ => Ok(()),
        };
        unexpected("hwID", HW_ID, hardware_id.is_some(), kind == KeyKind::Vcek)?;
        unexpected("csp_id", CSP_ID, csp_id.is_some(), kind == KeyKind::Vlek)?;
        let fmc = e.optional("fmcSPL", FMC_SPL, number)?;
        if product == Some(Product::Turin) && fmc.is_none() {
            let problem = "missing".to_owned();
            return Err(BadExtension { name: "fmcSPL", oid: FMC_SPL, problem });
        }
        Ok(KeyExtensions {
            product_name: e.required("productName", PRODUCT_NAME, text)?,
            bootloader: e.required("blSPL", BL_SPL, number)?,
            tee: e.required("teeSPL", TEE_SPL, number)?,
            snp: e.required("snpSPL", SNP_SPL, number)?,
            microcode: e.required("ucodeSPL", UCODE_SPL, number)?,
            fmc,
            reserved,
            hardware_id,
            csp_id,
        })
    }
}
