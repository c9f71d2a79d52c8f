//! CoRIM: the manifest around the tags.

use assay_cbor::{Limits, Value, read};
use assay_types::Validity;

use crate::entity::{Entity, entities, entities_value};
use crate::environment::map;
use crate::member::{Members, Note, Notes, items};
use crate::path::Path;
use crate::{Comid, CorimError, Profile, TagId, validity};

/// What a document, and each tag in it, may be at the most: 4 MiB, 24 levels, 1 048 576 items.
pub const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 24, items: 1 << 20 };

/// The most tags of a document.
pub const MAX_TAGS: usize = 256;

const TAG_COMID: u64 = 506;

pub(crate) const TAG_UNSIGNED: u64 = 501;

/// A concise reference integrity manifest (draft-ietf-rats-corim, `corim-map`).
#[derive(Clone, Debug, PartialEq)]
pub struct Corim {
    /// 0: its identifier.
    pub id: TagId,
    /// 1: its tags, one or more.
    pub tags: Vec<Tag>,
    /// 3: the profile it follows.
    pub profile: Option<Profile>,
    /// 4: when it is valid; always, where nothing is stated. A signed one has a validity of the
    /// signature besides ([`Document::validity`](crate::Document::validity)).
    pub validity: Option<Validity>,
    /// 5: who had to do with it.
    pub entities: Vec<Entity>,
    /// What was read differently from what stands there, or not at all. Not part of what is written.
    pub notes: Vec<Note>,
}

/// A tag of a CoRIM.
#[derive(Clone, Debug, PartialEq)]
pub enum Tag {
    /// Tag 506: a CoMID.
    Comid(Comid),
    /// Another tag (505 is a CoSWID, 508 a CoTL), as it came. It is not read.
    Other {
        /// Its number.
        number: u64,
        /// Its content.
        content: Value,
    },
}

impl Corim {
    /// A CoRIM with one CoMID and no profile.
    pub fn new(id: impl Into<TagId>, comid: Comid) -> Self {
        Corim {
            id: id.into(),
            tags: vec![Tag::Comid(comid)],
            profile: None,
            validity: None,
            entities: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The CoMIDs, each with its index among the tags.
    pub fn comids(&self) -> impl Iterator<Item = (usize, &Comid)> {
        self.tags.iter().enumerate().filter_map(|(index, tag)| match tag {
            Tag::Comid(comid) => Some((index, comid)),
            Tag::Other { .. } => None,
        })
    }

    /// The encoding of an unsigned CoRIM, with its tag 501. Whoever writes more than is read (see
    /// [`LIMITS`] and the other limits) writes what [`read`](crate::read) refuses.
    pub fn encode_unsigned(&self) -> Vec<u8> {
        Value::tagged(TAG_UNSIGNED, self.to_value()).encode()
    }

    pub(crate) fn read(value: &Value, path: &Path<'_>, mut notes: Notes) -> Result<Self, CorimError> {
        let members = Members::of(value, path)?;
        members.note_others(&[0, 1, 3, 4, 5], &mut notes);
        let id = TagId::read(members.must(0, "id")?, &path.member("id"))?;
        let tags = tags(members.must(1, "tags")?, &path.member("tags"), &mut notes)?;
        let profile = members.maybe(3, "profile", |value, path| Profile::read(value, path, &mut notes))?;
        let validity = members.maybe(4, "validity", |value, path| validity::read(value, path, &mut notes))?;
        let entities = members.maybe(5, "entities", |value, path| entities(value, path, &mut notes))?;
        let entities = entities.unwrap_or_default();
        Ok(Corim { id, tags, profile, validity, entities, notes: notes.finish() })
    }

    fn to_value(&self) -> Value {
        let tags = self.tags.iter().map(Tag::to_value).collect();
        map([
            (0, Some(self.id.to_value())),
            (1, Some(Value::Array(tags))),
            (3, self.profile.as_ref().map(Profile::to_value)),
            (4, self.validity.as_ref().map(validity::to_value)),
            (5, entities_value(&self.entities)),
        ])
    }
}

fn tags(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Vec<Tag>, CorimError> {
    let all = items(value, MAX_TAGS, path)?;
    if all.is_empty() {
        return Err(CorimError::form(path, "an array of one tag or more", "an empty one"));
    }
    let mut triples = 0_usize;
    let mut tags = Vec::with_capacity(all.len());
    for (index, item) in all.iter().enumerate() {
        let tag = Tag::read(item, &path.item(index), notes)?;
        if let Tag::Comid(comid) = &tag {
            triples = triples.saturating_add(comid.triples.len());
        }
        if triples > crate::MAX_TRIPLES {
            let (path, limit) = (path.member("triples").to_string(), crate::MAX_TRIPLES);
            return Err(CorimError::TooMany { path, limit, found: triples });
        }
        tags.push(tag);
    }
    Ok(tags)
}

impl Tag {
    fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Self, CorimError> {
        match value {
            Value::Tag(TAG_COMID, content) => {
                let Value::Bytes(encoded) = content.as_ref() else {
                    let expected = "a byte string that holds a CoMID";
                    return Err(CorimError::form(path, expected, content.describe()));
                };
                let comid = decode(encoded, path)?;
                Comid::read(&comid, path, notes).map(Tag::Comid)
            }
            Value::Tag(number, content) => {
                let kind = match number {
                    505 => "a CoSWID (tag 505)".to_owned(),
                    508 => "a CoTL (tag 508)".to_owned(),
                    other => format!("tag {other}"),
                };
                notes.add(path, format!("{kind} is not read"));
                Ok(Tag::Other { number: *number, content: content.as_ref().clone() })
            }
            other => Err(CorimError::form(path, "an item with a tag (506 for a CoMID)", other.describe())),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Tag::Comid(comid) => Value::tagged(TAG_COMID, comid.to_value().encode()),
            Tag::Other { number, content } => Value::tagged(*number, content.clone()),
        }
    }
}

/// Reads encoded CBOR that stands at `path`.
pub(crate) fn decode(encoded: &[u8], path: &Path<'_>) -> Result<Value, CorimError> {
    read(encoded, LIMITS).map_err(|error| CorimError::Cbor { path: path.to_string(), error })
}
