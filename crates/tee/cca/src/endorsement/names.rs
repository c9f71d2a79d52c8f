//! The names of endorsements among the stored reference values.

use std::fmt;

use assay_corim::TagId;
use assay_types::Digest;

use super::{Endorsement, Origin, platform_group, realm_group, trust_anchor_group};

/// The longest origin in bytes.
const MAX_ORIGIN: usize = 200;

/// The first part of the origins of what came in a JSON store.
const JSON: &str = "json";

/// A text that cannot be an origin, or a CoRIM whose identifiers give none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnOrigin {
    /// Other characters, none, or too many.
    #[error(
        "{text:?} has {length} bytes; an origin has 1 to {MAX_ORIGIN} printable ASCII characters without space"
    )]
    Form {
        /// The text, cut after 64 characters.
        text: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A CoRIM that calls itself as JSON stores are called.
    #[error("the CoRIM id \"json\" is kept for what comes in JSON stores")]
    Reserved,
}

impl Origin {
    /// Takes a text as an origin.
    ///
    /// # Errors
    /// [`NotAnOrigin::Form`].
    pub fn new(text: &str) -> Result<Self, NotAnOrigin> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if printable && (1..=MAX_ORIGIN).contains(&text.len()) {
            return Ok(Origin(text.to_owned()));
        }
        Err(NotAnOrigin::Form { text: text.chars().take(64).collect(), length: text.len() })
    }

    /// `<CoRIM id>/<tag id>`. UUIDs are written in their usual form. Bytes of identifiers that could be
    /// taken for the separators (`/`, `#`), `%`, space, and what is not printable ASCII are written as
    /// `%` and two hexadecimal digits, so that no two pairs of identifiers give one origin.
    ///
    /// # Errors
    /// [`NotAnOrigin`]: the identifiers together are too long, or the CoRIM's is `json`.
    pub fn of_corim(corim: &TagId, tag: &TagId) -> Result<Self, NotAnOrigin> {
        let document = escape(&corim.to_string());
        if document == JSON {
            return Err(NotAnOrigin::Reserved);
        }
        Origin::new(&format!("{document}/{}", escape(&tag.to_string())))
    }

    /// What the names of all endorsements of this CoRIM contain: `#<CoRIM id>/`.
    pub fn mark_of_corim(corim: &TagId) -> String {
        format!("#{}/", escape(&corim.to_string()))
    }

    /// `json/` and the first 16 hexadecimal digits of the SHA-256 of the endorsement's stored form.
    pub fn of_json(endorsement: &Endorsement) -> Self {
        let mut digest = Digest::sha256(endorsement.to_value().to_string().as_bytes()).to_hex();
        digest.truncate(16);
        Origin(format!("{JSON}/{digest}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'/' | b'#' | b'%') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

impl Endorsement {
    /// The groups it belongs to: one, or of a realm one for each digest of its initial measurement.
    pub fn groups(&self) -> Vec<String> {
        match self {
            Endorsement::TrustAnchor(anchor) => {
                vec![trust_anchor_group(&anchor.implementation_id, &anchor.instance_id)]
            }
            Endorsement::Platform(platform) => vec![platform_group(&platform.implementation_id)],
            Endorsement::Realm(realm) => {
                let digests = realm.initial_measurement.0.iter();
                digests.map(|digest| realm_group(&digest.value)).collect()
            }
        }
    }

    /// The names it is stored by: each of its groups, `#`, and the origin.
    pub fn names(&self, origin: &Origin) -> Vec<String> {
        self.groups().into_iter().map(|group| format!("{group}#{origin}")).collect()
    }
}

/// An endorsement and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedEndorsement {
    /// Where it came from.
    pub origin: Origin,
    /// The endorsement.
    pub endorsement: Endorsement,
}

impl NamedEndorsement {
    /// The names it is stored by.
    pub fn names(&self) -> Vec<String> {
        self.endorsement.names(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pairs_of_identifiers_give_one_origin() {
        let of = |corim: &str, tag: &str| Origin::of_corim(&corim.into(), &tag.into()).unwrap().0;
        assert_eq!(of("a", "b"), "a/b");
        assert_eq!(of("https://a/b", "c"), "https:%2f%2fa%2fb/c");
        assert_ne!(of("a/b", "c"), of("a", "b/c"));
        assert_ne!(of("a%2fb", "c"), of("a/b", "c"));
        assert_eq!(of("ü #", "\u{7f}"), "%c3%bc%20%23/%7f");
        assert_eq!(
            Origin::of_corim(&TagId::Uuid([0x1f; 16]), &"t".into()).unwrap().as_str(),
            "1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f/t"
        );
        assert!(of("a", "b").starts_with(&Origin::mark_of_corim(&"a".into())[1..]));
        assert!(!of("a/b", "c").starts_with(&Origin::mark_of_corim(&"a".into())[1..]));
    }

    #[test]
    fn what_cannot_be_an_origin() {
        assert!(Origin::new("a").is_ok() && Origin::new(&"a".repeat(200)).is_ok());
        for text in ["", " ", "a b", "ü", "\n", &"a".repeat(201)] {
            assert!(matches!(Origin::new(text), Err(NotAnOrigin::Form { .. })), "{text:?}");
        }
        assert_eq!(Origin::of_corim(&"json".into(), &"a".into()), Err(NotAnOrigin::Reserved));
        assert!(Origin::of_corim(&"a".repeat(150).as_str().into(), &"b".repeat(50).as_str().into()).is_err());
    }
}
