//! The outermost layer: signed or not, and what it may be wrapped in.

use assay_cbor::Value;
use assay_cose::TAG_SIGN1;
use assay_types::Validity;

use crate::manifest::{TAG_UNSIGNED, decode};
use crate::member::Notes;
use crate::path::Path;
use crate::{Corim, CorimError, SignedCorim};

/// The tags of older drafts around a CoRIM and around a signed one.
const OLD_WRAPPERS: [u64; 2] = [500, 502];

/// A CoRIM, unsigned or signed.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// Tag 501: nobody vouches for it.
    Unsigned(Corim),
    /// Tag 18: a signature is to be checked.
    Signed(Box<SignedCorim>),
}

impl Document {
    /// The CoRIM. Of a signed one it is only worth something when the signature holds.
    pub fn corim(&self) -> &Corim {
        match self {
            Document::Unsigned(corim) => corim,
            Document::Signed(signed) => &signed.corim,
        }
    }

    /// When the document is valid: the CoRIM's validity and the signature's, where they are stated. It
    /// may be empty (`not_after < not_before`).
    pub fn validity(&self) -> Validity {
        let signature = match self {
            Document::Unsigned(_) => None,
            Document::Signed(signed) => signed.meta.validity,
        };
        let stated = [self.corim().validity, signature];
        stated.into_iter().flatten().fold(Validity::ALWAYS, Validity::intersect)
    }
}

/// Reads a CoRIM: with tag 501, or signed with tag 18. Also read, with a remark in
/// [`Corim::notes`], are a map without a tag and what is wrapped in the tags 500 and 502 of older
/// drafts: vendors publish such.
///
/// # Errors
/// [`CorimError`], the first that is met.
pub fn read(bytes: &[u8]) -> Result<Document, CorimError> {
    let path = Path::root("corim");
    let document = decode(bytes, &path)?;
    let mut notes = Notes::default();
    let inner = unwrap(&document, &path, &mut notes);
    match inner {
        Value::Tag(TAG_SIGN1, _) => {
            SignedCorim::read(inner, notes).map(|signed| Document::Signed(Box::new(signed)))
        }
        _ => unsigned(inner, &path, notes).map(Document::Unsigned),
    }
}

/// Takes the old wrappers off, two at most.
fn unwrap<'v>(document: &'v Value, path: &Path<'_>, notes: &mut Notes) -> &'v Value {
    let mut inner = document;
    for _ in OLD_WRAPPERS {
        match inner {
            Value::Tag(tag, content) if OLD_WRAPPERS.contains(tag) => {
                notes.add(path, format!("wrapped in tag {tag} of an older draft"));
                inner = content;
            }
            _ => break,
        }
    }
    inner
}

/// The payload of a signed CoRIM.
pub(crate) fn payload(value: &Value, path: &Path<'_>, mut notes: Notes) -> Result<Corim, CorimError> {
    let inner = unwrap(value, path, &mut notes);
    unsigned(inner, path, notes)
}

fn unsigned(value: &Value, path: &Path<'_>, mut notes: Notes) -> Result<Corim, CorimError> {
    match value {
        Value::Tag(TAG_UNSIGNED, content) => Corim::read(content, path, notes),
        Value::Map(_) => {
            notes.add(path, "a map without its tag 501, read as if it had it");
            Corim::read(value, path, notes)
        }
        other => Err(CorimError::Wrapper { found: other.describe() }),
    }
}
