//! Public keys as JSON (RFC 7517), their thumbprints (RFC 7638), and sets of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use assay_types::Digest;

use crate::error::shown;
use crate::jws::Present;
use crate::{Curve, TokenError, base64url};

/// The most certificates that `x5c` may hold.
const MAX_CHAIN: usize = 8;

/// The most keys that a set may hold.
const MAX_KEYS: usize = 256;

/// What a public key consists of. Two keys are the same if these are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// A point on an elliptic curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// X coordinate, big endian, as long as the field.
        x: Vec<u8>,
        /// Y coordinate, big endian, as long as the field.
        y: Vec<u8>,
    },
    /// An RSA key.
    Rsa {
        /// Modulus, big endian, no leading zero.
        n: Vec<u8>,
        /// Public exponent, big endian, no leading zero.
        e: Vec<u8>,
    },
    /// An Ed25519 key (RFC 8037).
    Ed25519 {
        /// The 32 bytes of the point.
        x: [u8; 32],
    },
}

impl KeyMaterial {
    /// The key's type and size, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            KeyMaterial::Ec { curve, .. } => format!("EC {curve}"),
            KeyMaterial::Rsa { n, .. } => format!("RSA of {} bits", n.len().saturating_mul(8)),
            KeyMaterial::Ed25519 { .. } => "OKP Ed25519".to_owned(),
        }
    }

    /// The SHA-256 thumbprint (RFC 7638, section 3) in base64url, 43 characters.
    pub fn thumbprint(&self) -> String {
        // Only base64url and fixed names occur, so the text needs no escapes. The members are the
        // required ones, in lexicographic order.
        let canonical = match self {
            KeyMaterial::Ec { curve, x, y } => format!(
                r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#,
                base64url::encode(x),
                base64url::encode(y)
            ),
            KeyMaterial::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url::encode(e), base64url::encode(n))
            }
            KeyMaterial::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(x))
            }
        };
        base64url::encode(Digest::sha256(canonical.as_bytes()).as_bytes())
    }
}

/// A public key as JSON. It is written with the members in the order `kty`, `crv`, `x`, `y` (or
/// `n`, `e`), `alg`, `use`, `key_ops`, `kid`, `x5c`; those that are not there are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// The key itself.
    pub material: KeyMaterial,
    /// Its name.
    pub kid: Option<String>,
    /// The one algorithm it serves, where it is bound to one.
    pub alg: Option<String>,
    /// `sig` or `enc`, where it is bound to one.
    pub usage: Option<String>,
    /// Certificates in DER, the key's own first (RFC 7517, 4.7).
    pub x5c: Vec<Vec<u8>>,
    /// What it may be used for (RFC 7517, 4.3), where it is bound to some uses.
    pub key_ops: Option<Vec<String>>,
}

/// The members as they come.
#[derive(Deserialize)]
struct WireJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    kid: Option<String>,
    x5c: Option<Vec<String>>,
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    d: Present,
}

fn invalid(why: impl Into<String>) -> TokenError {
    TokenError::InvalidKey { why: why.into() }
}

fn bytes(member: &'static str, text: Option<&str>) -> Result<Vec<u8>, TokenError> {
    let text = text.ok_or_else(|| invalid(format!("no member {member:?}")))?;
    let bytes = base64url::decode(text)
        .ok_or_else(|| invalid(format!("{member:?} is not base64url without padding")))?;
    if bytes.is_empty() { Err(invalid(format!("{member:?} is empty"))) } else { Ok(bytes) }
}

fn without_leading_zero(member: &'static str, text: Option<&str>) -> Result<Vec<u8>, TokenError> {
    let bytes = bytes(member, text)?;
    if bytes.first() == Some(&0) {
        return Err(invalid(format!("{member:?} has a leading zero byte (RFC 7518, 6.3.1)")));
    }
    Ok(bytes)
}

impl WireJwk {
    /// `None` for a type or curve that is not understood.
    fn material(&self) -> Result<Option<KeyMaterial>, TokenError> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", None) => Err(invalid("no member \"crv\"")),
            ("EC", Some(name)) => {
                let Some(curve) = Curve::from_name(name) else { return Ok(None) };
                let (x, y) = (bytes("x", self.x.as_deref())?, bytes("y", self.y.as_deref())?);
                let length = curve.coordinate_len();
                if x.len() != length || y.len() != length {
                    return Err(invalid(format!("coordinates on {curve} have {length} bytes each")));
                }
                Ok(Some(KeyMaterial::Ec { curve, x, y }))
            }
            ("OKP", Some("Ed25519")) => {
                let x = <[u8; 32]>::try_from(bytes("x", self.x.as_deref())?)
                    .map_err(|_| invalid("an Ed25519 key has 32 bytes"))?;
                Ok(Some(KeyMaterial::Ed25519 { x }))
            }
            ("RSA", _) => {
                let n = without_leading_zero("n", self.n.as_deref())?;
                let e = without_leading_zero("e", self.e.as_deref())?;
                if n.len() < 256 || n.len() > 1024 {
                    return Err(invalid("an RSA modulus has 2048 to 8192 bits"));
                }
                Ok(Some(KeyMaterial::Rsa { n, e }))
            }
            _ => Ok(None),
        }
    }

    fn read(self) -> Result<Option<Jwk>, TokenError> {
        if self.kty != "oct" && self.d.0 {
            // Whoever wrote a private key where public ones belong must hear of it.
            return Err(invalid("it holds a private key (member \"d\")"));
        }
        let Some(material) = self.material()? else { return Ok(None) };
        let certificates = self.x5c.unwrap_or_default();
        if certificates.len() > MAX_CHAIN {
            return Err(invalid(format!("x5c holds more than {MAX_CHAIN} certificates")));
        }
        let x5c = certificates
            .iter()
            .map(|text| BASE64_STANDARD.decode(text).map_err(|_| invalid("x5c is not standard base64")))
            .collect::<Result<_, _>>()?;
        Ok(Some(Jwk {
            material,
            kid: self.kid,
            alg: self.alg,
            usage: self.usage,
            x5c,
            key_ops: self.key_ops,
        }))
    }
}

impl Jwk {
    /// A key with nothing but itself.
    pub fn new(material: KeyMaterial) -> Self {
        Jwk { material, kid: None, alg: None, usage: None, x5c: Vec::new(), key_ops: None }
    }

    /// Reads a key from JSON text.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] when it is no public key of a known type, or of the wrong size, or
    /// holds a private key. Whether an EC point lies on its curve shows in
    /// [`VerifyingKey::new`](crate::VerifyingKey::new).
    pub fn from_json(json: &str) -> Result<Self, TokenError> {
        let wire: WireJwk = serde_json::from_str(json).map_err(|e| invalid(e.to_string()))?;
        let kty = shown(&wire.kty);
        wire.read()?.ok_or_else(|| invalid(format!("key type {kty:?} or its curve is not supported")))
    }

    /// [`KeyMaterial::thumbprint`].
    pub fn thumbprint(&self) -> String {
        self.material.thumbprint()
    }

    /// The name under which tokens refer to this key: its `kid`, else its thumbprint.
    pub fn name(&self) -> String {
        self.kid.clone().unwrap_or_else(|| self.thumbprint())
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WireJwk::deserialize(deserializer)?
            .read()
            .map_err(D::Error::custom)?
            .ok_or_else(|| D::Error::custom("key type or curve not supported"))
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        match &self.material {
            KeyMaterial::Ec { curve, x, y } => {
                out.serialize_entry("kty", "EC")?;
                out.serialize_entry("crv", curve.as_str())?;
                out.serialize_entry("x", &base64url::encode(x))?;
                out.serialize_entry("y", &base64url::encode(y))?;
            }
            KeyMaterial::Rsa { n, e } => {
                out.serialize_entry("kty", "RSA")?;
                out.serialize_entry("n", &base64url::encode(n))?;
                out.serialize_entry("e", &base64url::encode(e))?;
            }
            KeyMaterial::Ed25519 { x } => {
                out.serialize_entry("kty", "OKP")?;
                out.serialize_entry("crv", "Ed25519")?;
                out.serialize_entry("x", &base64url::encode(x))?;
            }
        }
        if let Some(alg) = &self.alg {
            out.serialize_entry("alg", alg)?;
        }
        if let Some(usage) = &self.usage {
            out.serialize_entry("use", usage)?;
        }
        if let Some(key_ops) = &self.key_ops {
            out.serialize_entry("key_ops", key_ops)?;
        }
        if let Some(kid) = &self.kid {
            out.serialize_entry("kid", kid)?;
        }
        if !self.x5c.is_empty() {
            let chain: Vec<String> = self.x5c.iter().map(|der| BASE64_STANDARD.encode(der)).collect();
            out.serialize_entry("x5c", &chain)?;
        }
        out.end()
    }
}

/// A set of public keys (RFC 7517, section 5): `{"keys":[…]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Reads a set from JSON text. Keys of a type or curve that is not understood are left out, as
    /// RFC 7517 asks; symmetric keys are among those.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] when the text is no set, when there are more than 256 keys, or
    /// when a key of a known type is wrong; the message names its position.
    pub fn from_json(json: &str) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct WireSet {
            keys: Vec<Value>,
        }
        let wire: WireSet = serde_json::from_str(json).map_err(|e| invalid(e.to_string()))?;
        if wire.keys.len() > MAX_KEYS {
            return Err(invalid(format!("more than {MAX_KEYS} keys")));
        }
        let mut keys = Vec::with_capacity(wire.keys.len());
        for (position, value) in wire.keys.into_iter().enumerate() {
            let key = serde_json::from_value::<WireJwk>(value)
                .map_err(|e| invalid(e.to_string()))
                .and_then(WireJwk::read)
                .map_err(|error| match error {
                    TokenError::InvalidKey { why } => invalid(format!("key {position} of the set: {why}")),
                    other => other,
                })?;
            keys.extend(key);
        }
        Ok(JwkSet { keys })
    }
}
