//! Public keys on the NIST curves.

use std::fmt;
use std::sync::Arc;

use assay_cbor::{Limits, Value, diagnostic, read};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::ParsedPublicKey;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::Certificate;

use crate::{Curve, KeyError};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const NAMED_CURVES: [(ObjectIdentifier, Curve); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Curve::P256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::P521),
];

/// A key is a small thing: whoever sends more sends something else.
const MAX_KEY_BYTES: usize = 16 << 10;

/// The parameters of an elliptic curve key (RFC 9053, section 7.1.1).
mod cose_key {
    pub(super) const KTY: i64 = 1;
    pub(super) const EC2: i64 = 2;
    pub(super) const CRV: i64 = -1;
    pub(super) const X: i64 = -2;
    pub(super) const Y: i64 = -3;
}

/// A public key whose point was found to lie on its curve. Clones share the parsed key.
#[derive(Clone)]
pub struct PublicKey {
    curve: Curve,
    /// `0x04 || x || y`.
    point: Vec<u8>,
    parsed: Arc<ParsedPublicKey>,
}

impl PublicKey {
    /// From a point in the uncompressed form, `0x04 || x || y` (SEC 1, 2.3.3): 65, 97 or 133 bytes.
    ///
    /// # Errors
    /// [`KeyError::Form`], [`KeyError::NotOnCurve`].
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        if curve.split(point).is_none() {
            let expected = 2 * curve.coordinate_len() + 1;
            let found = point.len();
            return Err(KeyError::form(format!(
                "an uncompressed point on {curve} has {expected} bytes and begins with 04; found {found} bytes"
            )));
        }
        let parsed =
            ParsedPublicKey::new(curve.verification(), point).map_err(|_| KeyError::NotOnCurve { curve })?;
        Ok(PublicKey { curve, point: point.to_vec(), parsed: Arc::new(parsed) })
    }

    /// From its coordinates, each of full length (32, 48 or 66 bytes, big endian, leading zeros
    /// written).
    ///
    /// # Errors
    /// [`KeyError::CoordinateLength`], [`KeyError::NotOnCurve`].
    pub fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        for (coordinate, bytes) in [("x", x), ("y", y)] {
            if bytes.len() != curve.coordinate_len() {
                return Err(KeyError::CoordinateLength { coordinate, curve, found: bytes.len() });
            }
        }
        let point = curve.join(x, y).unwrap_or_default();
        PublicKey::from_point(curve, &point)
    }

    /// From an encoded COSE_Key of type EC2 with both coordinates; other parameters are ignored.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_cose_key(encoded: &[u8]) -> Result<Self, KeyError> {
        let limits = Limits { bytes: MAX_KEY_BYTES, depth: 8, items: 256 };
        PublicKey::from_cose_value(&read(encoded, limits)?)
    }

    /// From a COSE_Key that was read.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_cose_value(key: &Value) -> Result<Self, KeyError> {
        if key.as_map().is_none() {
            return Err(KeyError::form(format!("a COSE_Key is a map, found {}", key.describe())));
        }
        let integer = |label| key.get(label).and_then(Value::as_i64);
        let shown = |label| key.get(label).map_or_else(|| "nothing".to_owned(), diagnostic);
        if integer(cose_key::KTY) != Some(cose_key::EC2) {
            return Err(KeyError::Unsupported { found: cut(format!("kty {}", shown(cose_key::KTY))) });
        }
        let Some(curve) = integer(cose_key::CRV).and_then(Curve::from_cose_id) else {
            return Err(KeyError::Unsupported { found: cut(format!("crv {}", shown(cose_key::CRV))) });
        };
        let coordinate = |label, name| {
            let bytes = key.get(label).and_then(Value::as_bytes);
            bytes.ok_or_else(|| KeyError::form(format!("the coordinate {name} is not a byte string")))
        };
        PublicKey::from_coordinates(curve, coordinate(cose_key::X, "x")?, coordinate(cose_key::Y, "y")?)
    }

    /// From a JWK (RFC 7518, section 6.2.1); other members are ignored.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, KeyError> {
        let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        if text("kty") != Some("EC") {
            return Err(KeyError::Unsupported { found: cut(format!("kty {:?}", text("kty"))) });
        }
        let Some(curve) = text("crv").and_then(Curve::from_name) else {
            return Err(KeyError::Unsupported { found: cut(format!("crv {:?}", text("crv"))) });
        };
        let coordinate = |name: &str| {
            let text = text(name).filter(|text| text.len() <= MAX_KEY_BYTES);
            text.and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
                .ok_or_else(|| KeyError::form(format!("{name} is not base64url without padding")))
        };
        PublicKey::from_coordinates(curve, &coordinate("x")?, &coordinate("y")?)
    }

    /// From a SubjectPublicKeyInfo in DER (RFC 5480).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_KEY_BYTES {
            return Err(KeyError::form(format!("{} bytes; at most {MAX_KEY_BYTES} are read", der.len())));
        }
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|error| KeyError::form(format!("not a SubjectPublicKeyInfo: {error}")))?;
        if info.algorithm.oid != EC_PUBLIC_KEY {
            return Err(KeyError::Unsupported { found: format!("algorithm {}", info.algorithm.oid) });
        }
        let named = info.algorithm.parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let curve = NAMED_CURVES.into_iter().find(|(oid, _)| Some(*oid) == named).map(|(_, curve)| curve);
        let curve = curve.ok_or_else(|| KeyError::Unsupported {
            found: named.map_or_else(|| "no named curve".to_owned(), |oid| format!("curve {oid}")),
        })?;
        let point = info.subject_public_key.as_bytes();
        PublicKey::from_point(curve, point.ok_or_else(|| KeyError::form("the key has unused bits"))?)
    }

    /// From the text of a SubjectPublicKeyInfo in base64, between PEM lines or alone (CoRIM's
    /// `pkix-base64-key`).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        PublicKey::from_spki(&base64_body(text, "PUBLIC KEY")?)
    }

    /// The key of a certificate in DER or PEM; nothing else of the certificate is looked at.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_certificate(bytes: &[u8]) -> Result<Self, KeyError> {
        let der = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => base64_body(text, "CERTIFICATE")?,
            _ => bytes.to_vec(),
        };
        let not = |error: der::Error| KeyError::form(format!("not a certificate: {error}"));
        let certificate = Certificate::from_der(&der).map_err(not)?;
        let info = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(not)?;
        PublicKey::from_spki(&info)
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The point in the uncompressed form, `0x04 || x || y`.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// The SHA-256 of [`PublicKey::point`].
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.iter_mut().zip(digest(&SHA256, &self.point).as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    /// The encoded COSE_Key `{1: 2, -1: crv, -2: x, -3: y}`.
    pub fn to_cose_key(&self) -> Vec<u8> {
        let (x, y) = self.coordinates();
        Value::Map(vec![
            (cose_key::KTY.into(), cose_key::EC2.into()),
            (cose_key::CRV.into(), self.curve.cose_id().into()),
            (cose_key::X.into(), x.into()),
            (cose_key::Y.into(), y.into()),
        ])
        .encode()
    }

    /// The JWK `{"kty":"EC","crv","x","y"}`.
    pub fn to_jwk(&self) -> serde_json::Value {
        let (x, y) = self.coordinates();
        serde_json::json!({
            "kty": "EC", "crv": self.curve.as_str(),
            "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// The SubjectPublicKeyInfo in PEM.
    pub fn to_pem(&self) -> String {
        let oid = NAMED_CURVES.iter().find(|(_, curve)| *curve == self.curve).map(|(oid, _)| *oid);
        // A point has whole bytes and is short, so none of this fails.
        let key = der::asn1::BitStringRef::from_bytes(&self.point).ok();
        let info = key.map(|subject_public_key| spki::SubjectPublicKeyInfo {
            algorithm: spki::AlgorithmIdentifier { oid: EC_PUBLIC_KEY, parameters: oid },
            subject_public_key,
        });
        let text = BASE64_STANDARD.encode(info.and_then(|info| info.to_der().ok()).unwrap_or_default());
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    fn coordinates(&self) -> (&[u8], &[u8]) {
        self.curve.split(&self.point).unwrap_or_default()
    }

    pub(crate) fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.curve == other.curve && self.point == other.point
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (x, _) = self.coordinates();
        write!(f, "PublicKey({}, x {}…)", self.curve, BASE64_URL_SAFE_NO_PAD.encode(x.get(..6).unwrap_or(x)))
    }
}

/// The base64 between the lines of a PEM text, or the whole text where it has no such lines.
fn base64_body(text: &str, label: &str) -> Result<Vec<u8>, KeyError> {
    if text.len() > MAX_KEY_BYTES {
        return Err(KeyError::form(format!("{} bytes; at most {MAX_KEY_BYTES} are read", text.len())));
    }
    let body = if text.contains("-----BEGIN") {
        let begin = format!("-----BEGIN {label}-----");
        let end = format!("-----END {label}-----");
        let inside = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
        inside.map(|(body, _)| body).ok_or_else(|| KeyError::form(format!("no PEM block {label:?}")))?
    } else {
        text
    };
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(body).map_err(|error| KeyError::form(format!("not base64: {error}")))
}

fn cut(text: String) -> String {
    text.chars().take(64).collect()
}
