//! Signed CoRIMs.

use assay_cbor::{Value, diagnostic};
use assay_cose::{Algorithm, Sign1, header, sign1};
use assay_types::Validity;

use crate::environment::map;
use crate::identifier::tag;
use crate::manifest::decode;
use crate::member::{Members, Notes, bytes, cut, list, text, uri};
use crate::path::Path;
use crate::{Corim, CorimError, validity};

/// The type of the payload of a signed CoRIM.
pub const CONTENT_TYPE: &str = "application/rim+cbor";

/// The most certificates that come with a signature.
pub const MAX_CERTIFICATES: usize = 10;

/// A signed CoRIM. Nothing of it is verified yet: [`Sign1::verify`] of `message` does that, with a key
/// that the caller trusts.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCorim {
    /// The payload.
    pub corim: Corim,
    /// The message around it.
    pub message: Sign1,
    /// Who signed it, by their own word, and until when that holds.
    pub meta: Meta,
    /// What the message says of the signer's key.
    pub key: KeyHint,
}

/// Signer and validity of a signature: `corim-meta-map`, or CWT claims (RFC 9597).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The signer's name: `signer-name`, or the claim `iss`.
    pub signer: String,
    /// The signer's URI.
    pub uri: Option<String>,
    /// When the signature is valid: `signature-validity`, or the claims `nbf` and `exp`.
    pub validity: Option<Validity>,
}

/// What a message says of the signer's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyHint {
    /// 4: the key's name.
    pub kid: Option<Vec<u8>>,
    /// 33: certificates in DER, the signer's first.
    pub x5chain: Vec<Vec<u8>>,
}

impl SignedCorim {
    pub(crate) fn read(value: &Value, mut notes: Notes) -> Result<Self, CorimError> {
        let message = Sign1::from_value(value)?;
        let protected = message.protected();
        let content_type = protected.get(header::CONTENT_TYPE);
        if content_type.and_then(Value::as_text) != Some(CONTENT_TYPE) {
            let found = content_type.map_or_else(|| "nothing".to_owned(), diagnostic);
            return Err(CorimError::ContentType { found: cut(&found) });
        }
        let path = Path::root("protected");
        let meta = Meta::read(protected, &path, &mut notes)?;
        let key = KeyHint {
            // The key's name and certificates only say where to look: either header may have them.
            kid: either(&message, header::KID, bytes, "kid")?,
            x5chain: either(&message, header::X5CHAIN, x5chain, "x5chain")?.unwrap_or_default(),
        };
        let payload_path = Path::root("payload");
        let payload = decode(message.payload(), &payload_path)?;
        let corim = crate::document::payload(&payload, &payload_path, notes)?;
        Ok(SignedCorim { corim, message, meta, key })
    }
}

fn either<T>(
    message: &Sign1,
    label: i64,
    read: impl Fn(&Value, &Path<'_>) -> Result<T, CorimError>,
    name: &'static str,
) -> Result<Option<T>, CorimError> {
    let headers = [(message.protected(), "protected"), (message.unprotected(), "unprotected")];
    let found = headers.into_iter().find_map(|(header, place)| Some((header.get(label)?, place)));
    found.map(|(value, place)| read(value, &Path::root(place).member(name))).transpose()
}

/// One certificate as a byte string, or an array of them (RFC 9360, section 2).
fn x5chain(value: &Value, path: &Path<'_>) -> Result<Vec<Vec<u8>>, CorimError> {
    match value {
        Value::Bytes(_) => Ok(vec![bytes(value, path)?]),
        other => list(other, MAX_CERTIFICATES, path, bytes),
    }
}

impl Meta {
    /// By the name of the signer alone.
    pub fn of(signer: &str) -> Self {
        Meta { signer: signer.to_owned(), ..Meta::default() }
    }

    fn read(protected: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let corim_meta = protected
            .get(header::CORIM_META)
            .map(|value| Meta::corim_meta(value, &path.member("corim-meta"), notes))
            .transpose()?;
        let claims = protected
            .get(header::CWT_CLAIMS)
            .map(|value| Meta::cwt_claims(value, &path.member("cwt-claims")))
            .transpose()?;
        match (corim_meta, claims) {
            (None, None) => Err(CorimError::Missing { path: path.member("corim-meta").to_string() }),
            (Some(meta), None) | (None, Some(meta)) => Ok(meta),
            (Some(meta), Some(claims)) => {
                let both = [meta.validity, claims.validity].into_iter().flatten().reduce(Validity::intersect);
                Ok(Meta { validity: both, ..meta })
            }
        }
    }

    fn corim_meta(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        let encoded = bytes(value, path)?;
        let map = decode(&encoded, path)?;
        let members = Members::of(&map, path)?;
        members.note_others(&[0, 1], notes);
        let signer_path = path.member("signer");
        let signer = Members::of(members.must(0, "signer")?, &signer_path)?;
        signer.note_others(&[0, 1], notes);
        Ok(Meta {
            signer: text(signer.must(0, "name")?, &signer_path.member("name"))?,
            uri: signer.maybe(1, "uri", |value, path| uri(value, path, notes))?,
            validity: members
                .maybe(1, "signature-validity", |value, path| validity::read(value, path, notes))?,
        })
    }

    /// `iss` (1), `exp` (4), `nbf` (5); others say nothing about signer or validity.
    fn cwt_claims(value: &Value, path: &Path<'_>) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        let not_before = members.maybe(5, "nbf", validity::seconds)?;
        let not_after = members.maybe(4, "exp", validity::seconds)?;
        let stated = Validity {
            not_before: not_before.unwrap_or(Validity::ALWAYS.not_before),
            // The second `exp` is no longer part of it (RFC 8392, 3.1.4).
            not_after: not_after.map_or(Validity::ALWAYS.not_after, |exp| exp.plus(-1)),
        };
        Ok(Meta {
            signer: text(members.must(1, "iss")?, &path.member("iss"))?,
            uri: None,
            validity: (stated != Validity::ALWAYS).then(|| validity::check(stated, path)).transpose()?,
        })
    }

    fn to_value(&self) -> Value {
        let uri = self.uri.as_deref().map(|uri| Value::tagged(tag::URI, uri));
        map([
            (0, Some(map([(0, Some(self.signer.as_str().into())), (1, uri)]))),
            (1, self.validity.as_ref().map(validity::to_value)),
        ])
    }
}

impl Corim {
    /// The encoding of a signed CoRIM. `sign` is given the bytes to be signed and returns the signature,
    /// `r || s` of full length. All headers are protected.
    ///
    /// # Errors
    /// Those of `sign`.
    pub fn encode_signed<E>(
        &self,
        meta: &Meta,
        algorithm: Algorithm,
        key: &KeyHint,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let mut protected = vec![
            (header::ALG.into(), algorithm.id().into()),
            (header::CONTENT_TYPE.into(), CONTENT_TYPE.into()),
        ];
        protected.extend(key.kid.as_deref().map(|kid| (header::KID.into(), kid.into())));
        protected.push((header::CORIM_META.into(), meta.to_value().encode().into()));
        match key.x5chain.as_slice() {
            [] => {}
            [one] => protected.push((header::X5CHAIN.into(), one.as_slice().into())),
            all => {
                let all = all.iter().map(|certificate| certificate.as_slice().into()).collect();
                protected.push((header::X5CHAIN.into(), Value::Array(all)));
            }
        }
        sign1(protected, Vec::new(), &self.encode_unsigned(), sign)
    }
}
