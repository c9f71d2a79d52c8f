//! What replaces what, and what ends.

use assay_types::{Lookup, ReferenceValueSnapshot as _};

use crate::world::{NOW, Place, corim, unsigned_too, value_name};

#[tokio::test]
async fn a_new_edition_of_a_corim_replaces_the_earlier_one_and_nothing_else() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    let register = async |id: &str, comids: &[&str]| {
        values.register_corim(&corim(id, comids).encode_unsigned(), None).await.unwrap()
    };
    register("c", &["a", "b"]).await;
    register("c2", &["a"]).await;
    register("other/c", &["a"]).await;
    let names = || values.list().into_iter().map(|record| record.id).collect::<Vec<_>>();
    let (other, second) = (value_name("other%2fc", "a"), value_name("c2", "a"));
    assert_eq!(names(), [value_name("c", "a"), value_name("c", "b"), second.clone(), other.clone()]);
    let registered = register("c", &["b", "x"]).await;
    assert_eq!(registered.ids, [value_name("c", "b"), value_name("c", "x")]);
    assert_eq!(registered.deleted, [value_name("c", "a")]);
    assert_eq!(names(), [value_name("c", "b"), value_name("c", "x"), second, other]);
    assert_eq!(values.get(&value_name("c", "b")).unwrap().version, 2);
    // What is in memory is what is stored.
    let reopened = place.open(unsigned_too()).await;
    assert_eq!(reopened.snapshot().digest(), values.snapshot().digest());
    // A CoRIM that is registered again is no error.
    assert!(register("c", &["b", "x"]).await.deleted.is_empty());
}

#[tokio::test]
async fn a_corim_that_is_refused_changes_nothing() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    values.register_corim(&corim("c", &["a"]).encode_unsigned(), None).await.unwrap();
    let before = values.snapshot().digest();
    let error = values.register_corim(&corim("c", &["b", "b"]).encode_unsigned(), None).await.unwrap_err();
    assert!(error.to_string().contains("CCA-223"), "{error}");
    assert_eq!(values.snapshot().digest(), before);
}

#[tokio::test]
async fn a_value_that_is_made_to_end_is_listed_but_not_found() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    values.register_corim(&corim("c", &["a"]).encode_unsigned(), None).await.unwrap();
    let name = value_name("c", "a");
    assert!(!values.expire("never").await.unwrap());
    place.clock.advance(5);
    assert!(values.expire(&name).await.unwrap());
    let record = values.get(&name).unwrap();
    assert!(record.expired);
    assert_eq!((record.version, record.expires, record.source.as_str()), (2, NOW.plus(5), "corim"));
    let lookup = values.snapshot().query(&name, NOW.plus(5));
    assert_eq!(lookup, Lookup::Expired { since: NOW.plus(5) });
    place.clock.advance(5);
    assert!(values.expire(&name).await.unwrap());
    assert_eq!(values.get(&name).unwrap().version, 2);
    // Registered anew, it is in force again.
    values.register_corim(&corim("c", &["a"]).encode_unsigned(), None).await.unwrap();
    assert!(!values.get(&name).unwrap().expired);
    assert_eq!(place.open(unsigned_too()).await.snapshot().digest(), values.snapshot().digest());
}
