//! Who had to do with a document.

use assay_cbor::Value;

use crate::CorimError;
use crate::environment::map;
use crate::identifier::tag;
use crate::member::{Members, Notes, integer, list, text, uri};
use crate::path::Path;

/// The most entities, and the most roles of one.
const MAX_ENTITIES: usize = 64;

/// Somebody who had to do with a CoRIM or a CoMID (`entity-map`). Nobody vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// 0: the name.
    pub name: String,
    /// 1: a URI.
    pub uri: Option<String>,
    /// 2: the roles: 0 is a CoMID's tag creator, 1 a CoRIM's manifest creator.
    pub roles: Vec<i64>,
}

pub(crate) fn entities(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Vec<Entity>, CorimError> {
    list(value, MAX_ENTITIES, path, |item, path| {
        let members = Members::of(item, path)?;
        members.note_others(&[0, 1, 2], notes);
        let roles = |value, path: &Path<'_>| list(value, MAX_ENTITIES, path, integer);
        Ok(Entity {
            name: text(members.must(0, "name")?, &path.member("name"))?,
            uri: members.maybe(1, "uri", |value, path| uri(value, path, notes))?,
            roles: members.maybe(2, "roles", roles)?.unwrap_or_default(),
        })
    })
}

pub(crate) fn entities_value(entities: &[Entity]) -> Option<Value> {
    let entity = |entity: &Entity| {
        let roles = entity.roles.iter().map(|role| (*role).into()).collect();
        map([
            (0, Some(entity.name.as_str().into())),
            (1, entity.uri.as_deref().map(|uri| Value::tagged(tag::URI, uri))),
            (2, (!entity.roles.is_empty()).then_some(Value::Array(roles))),
        ])
    };
    (!entities.is_empty()).then(|| Value::Array(entities.iter().map(entity).collect()))
}
