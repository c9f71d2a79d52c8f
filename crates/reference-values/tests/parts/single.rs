//! Trustee's protocol: values by name, learned in rounds.

use std::sync::Arc;
use std::time::Duration;

use assay_access::Role;
use assay_reference_values::{Protocol, ReferenceValueSource, RemoteReferenceValues, RemoteValuesSettings};
use assay_remote::RemoteSettings;
use assay_types::{Coded as _, FixedClock, ReferenceValueSnapshot};
use serde_json::{Value, json};

use crate::doubles::{Double, Socket, socket};
use crate::world::{NOW, Part, Served, client_of, found, in_the_end, message, settings};

const SECOND: Duration = Duration::from_secs(1);

/// A client whose answers are good for a long time, or for none.
fn caching(served: &Served, cache: Duration) -> RemoteReferenceValues {
    let settings =
        RemoteValuesSettings { cache, ..RemoteValuesSettings::new(settings(served.at), Protocol::Trustee) };
    RemoteReferenceValues::new(settings, Arc::new(FixedClock::new(NOW))).unwrap()
}

/// A policy that follows a chain: each value names the next.
fn chain(values: &dyn ReferenceValueSnapshot) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut next = "start".to_owned();
    while let Value::String(name) = values.query(&next, NOW).to_policy_value() {
        seen.push(Value::from(name.clone()));
        next = name;
    }
    seen
}

#[tokio::test]
async fn an_evaluation_learns_round_by_round_what_it_asks_for() {
    let double = Double::with(&[("start", "\"b\""), ("b", "\"c\""), ("c", "\"d\""), ("d", "1")]);
    let served = double.serve(None).await;
    let client = caching(&served, Duration::from_secs(600));
    let mut consultation = client.consult().await.unwrap();
    assert!(!consultation.is_complete());
    let mut rounds = 0;
    let seen = loop {
        rounds += 1;
        let seen = chain(consultation.values());
        if !consultation.learn().await.unwrap() {
            break seen;
        }
    };
    assert_eq!((seen, rounds), (vec![json!("b"), json!("c"), json!("d")], 5));
    assert_eq!(double.asked(), ["start", "b", "c", "d"]);
    // The next evaluation finds them all, and asks for nothing.
    let mut consultation = client.consult().await.unwrap();
    assert_eq!(chain(consultation.values()).len(), 3);
    assert!(!consultation.learn().await.unwrap());
    assert!(double.asked().is_empty());
}

#[tokio::test]
async fn what_is_no_longer_good_is_asked_for_before_the_evaluation_begins() {
    let double = Double::with(&[("start", "\"b\""), ("b", "\"c\"")]);
    let served = double.serve(None).await;
    let client = caching(&served, Duration::ZERO);
    assert_eq!(found(&client, "start").await.unwrap(), json!("b"));
    assert_eq!(found(&client, "absent").await.unwrap(), Value::Null);
    double.asked();
    double.set("absent", "5");
    let mut consultation = client.consult().await.unwrap();
    let mut asked = double.asked();
    asked.sort();
    assert_eq!(asked, ["absent", "start"]);
    assert_eq!(consultation.values().query("absent", NOW).to_policy_value(), json!(5));
    assert!(!consultation.learn().await.unwrap());
}

#[tokio::test]
async fn negative_answers_are_kept_like_others() {
    let double = Double::default();
    let served = double.serve(None).await;
    let client = caching(&served, Duration::from_secs(600));
    for _ in 0..3 {
        assert_eq!(found(&client, "absent").await.unwrap(), Value::Null);
    }
    assert_eq!(double.asked(), ["absent"]);
}

#[tokio::test]
async fn many_values_are_asked_for_at_once_and_each_once() {
    let double = Double::default();
    let served = double.serve(None).await;
    let client = caching(&served, SECOND);
    let mut consultation = client.consult().await.unwrap();
    for _ in 0..2 {
        for n in 0..300 {
            consultation.values().query(&format!("n{n}"), NOW);
        }
    }
    assert!(consultation.learn().await.unwrap());
    assert_eq!(double.asked().len(), 300);
}

#[tokio::test]
async fn whoever_asks_for_ever_new_values_is_stopped() {
    let double = Double::default();
    let served = double.serve(None).await;
    let client = caching(&served, SECOND);
    let mut consultation = client.consult().await.unwrap();
    let mut error = None;
    for n in 0..1000 {
        consultation.values().query(&format!("n{n}"), NOW);
        match consultation.learn().await {
            Ok(more) => assert!(more),
            Err(found) => {
                error = Some(found);
                break;
            }
        }
    }
    assert_eq!(error.unwrap().code(), "RV-023");
    assert!(double.asked().len() <= 32);
    // And whoever asks for too many in one round.
    let mut consultation = client.consult().await.unwrap();
    for n in 0..5000 {
        consultation.values().query(&format!("m{n}"), NOW);
    }
    assert_eq!(consultation.learn().await.unwrap_err().code(), "RV-023");
}

#[tokio::test]
async fn groups_are_an_error_and_not_silently_empty() {
    let served = Double::default().serve(None).await;
    let client = client_of(served.at, Protocol::Trustee, SECOND * 10);
    let mut consultation = client.consult().await.unwrap();
    assert!(consultation.values().group("cca/platform/abc", NOW).is_empty());
    let error = consultation.learn().await.unwrap_err();
    assert_eq!(error.code(), "RV-020");
    assert!(error.to_string().contains("cca/platform/abc"), "{error}");
    for result in [
        client.list().await.map(|_| ()),
        client.history("a").await.map(|_| ()),
        client.delete("a").await.map(|_| ()),
        client.expire("a").await.map(|_| ()),
        client.register_corim(b"x", None).await.map(|_| ()),
    ] {
        assert_eq!(result.unwrap_err().code(), "RV-021");
    }
}

#[tokio::test]
async fn the_digest_is_that_of_the_values_that_were_used() {
    let double = Double::with(&[("a", "1"), ("b", "2")]);
    let served = double.serve(None).await;
    let client = caching(&served, SECOND);
    let digest_after = async |unused: &[&str]| {
        let mut consultation = client.consult().await.unwrap();
        let ask = |id: &str, values: &dyn ReferenceValueSnapshot| assay_types::AskedReferenceValue {
            id: id.to_owned(),
            answer: values.query(id, NOW),
        };
        loop {
            unused.iter().for_each(|id| drop(ask(id, consultation.values())));
            let used = [ask("a", consultation.values())];
            if !consultation.learn().await.unwrap() {
                return consultation.digest(&mut used.iter());
            }
        }
    };
    let digest = digest_after(&[]).await;
    assert_eq!(digest, digest_after(&["b", "absent"]).await);
    double.set("a", "3");
    client.register(b"{}").await.unwrap_err();
    tokio::time::sleep(SECOND).await;
    assert_ne!(digest, digest_after(&[]).await);
}

#[tokio::test]
async fn garbage_fails_the_evaluation_and_is_not_taken_for_missing() {
    for garbage in ["{", "", "1 2", "{\"a\":1,\"a\":2}", "1e999", "\u{0}"] {
        let served = Double::with(&[("a", garbage)]).serve(None).await;
        let client = client_of(served.at, Protocol::Trustee, SECOND * 10);
        let error = found(&client, "a").await.unwrap_err();
        assert_eq!(error.code(), "RPC-005", "{garbage:?}: {error}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let served =
        Double::with(&[("a", &deep), ("b", &format!("\"{}\"", "x".repeat(140_000)))]).serve(None).await;
    let client = client_of(served.at, Protocol::Trustee, SECOND * 10);
    for id in ["a", "b"] {
        assert_eq!(found(&client, id).await.unwrap_err().code(), "RPC-005");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_the_providers_fault() {
    let handler = |request: axum::extract::Request| async move {
        let answer = crate::wire::answering(|_| vec![0x0a, 0xff]);
        tonic::server::Grpc::new(crate::wire::Bytes).unary(answer, request).await
    };
    let served = Served::new(axum::Router::new().fallback(handler), None).await;
    let client = client_of(served.at, Protocol::Trustee, SECOND * 10);
    let error = found(&client, "a").await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("RPC-005", assay_types::Fault::BadGateway), "{error}");
}

#[tokio::test]
async fn garbage_for_one_evaluation_does_not_harm_the_others() {
    let double = Double::with(&[("a", "1"), ("bad", "1")]);
    let served = double.serve(None).await;
    let client = caching(&served, Duration::ZERO);
    for id in ["a", "bad"] {
        assert_eq!(found(&client, id).await.unwrap(), json!(1));
    }
    double.set("bad", "{");
    // Both are asked for before the evaluation begins, which needs the good one.
    assert_eq!(found(&client, "a").await.unwrap(), json!(1));
    assert_eq!(found(&client, "bad").await.unwrap_err().code(), "RPC-005");
}

#[tokio::test]
async fn sockets_that_misbehave_fail_in_time_and_by_name() {
    for (kind, codes) in [
        (Socket::Silent, &["RPC-002"][..]),
        (Socket::Reset, &["RPC-001"]),
        (Socket::Garbage, &["RPC-001", "RPC-005"]),
    ] {
        let (at, task) = socket(kind).await;
        let client = client_of(at, Protocol::Trustee, Duration::from_millis(300));
        let error = found(&client, "a").await.unwrap_err();
        assert!(codes.contains(&error.code()), "{}: {error}", error.code());
        assert!(client.check().await.is_err());
        task.abort();
    }
    // Nobody listens.
    let at = Double::default().serve(None).await.stop().await;
    let error = found(&client_of(at, Protocol::Trustee, SECOND), "a").await.unwrap_err();
    assert_eq!(error.code(), "RPC-001", "{error}");
}

#[tokio::test]
async fn a_provider_that_hung_is_asked_again_without_a_restart() {
    let double = Double::with(&[("a", "1")]);
    let served = double.serve(None).await;
    let client = client_of(served.at, Protocol::Trustee, Duration::from_millis(300));
    *double.delay.lock().unwrap() = Duration::from_secs(3600);
    assert_eq!(found(&client, "a").await.unwrap_err().code(), "RPC-002");
    *double.delay.lock().unwrap() = Duration::ZERO;
    assert_eq!(in_the_end(async || found(&client, "a").await).await, json!(1));
}

#[tokio::test]
async fn a_provider_that_was_restarted_is_found_again() {
    let double = Double::with(&[("a", "1")]);
    let served = double.serve(None).await;
    let client = caching(&served, Duration::ZERO);
    assert_eq!(found(&client, "a").await.unwrap(), json!(1));
    let at = served.stop().await;
    assert_eq!(found(&client, "a").await.unwrap_err().code(), "RPC-001");
    double.set("a", "2");
    let _served = double.serve(Some(at)).await;
    assert_eq!(in_the_end(async || found(&client, "a").await).await, json!(2));
}

#[tokio::test]
async fn trustees_refusal_is_the_callers_and_keeps_its_words() {
    let served = Double::default().serve(None).await;
    let client = client_of(served.at, Protocol::Trustee, SECOND * 10);
    let error = client.register(&message(&json!({ "a": 1 }))).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("RPC-004", assay_types::Fault::Unprocessable));
    assert!(error.to_string().contains("verify and extract"), "{error}");
}

#[tokio::test]
async fn our_own_provider_serves_this_protocol_too() {
    let part = Part::new().await;
    let served = part.serve().await;
    let client = part.client(served.at, Protocol::Trustee).await;
    let registered = client.register(&message(&json!({ "a": [1, "x"] }))).await.unwrap();
    assert_eq!(registered.ids, ["a"]);
    assert_eq!(found(&client, "a").await.unwrap(), json!([1, "x"]));
    part.values.expire("a").await.unwrap();
    assert_eq!(client.value("a").await.unwrap(), None);
    let error = client.register(b"garbage").await.unwrap_err();
    assert_eq!(error.fault(), assay_types::Fault::BadRequest);
    assert!(error.to_string().contains("RV-001"), "{error}");
}

#[tokio::test]
async fn a_token_that_was_renewed_is_taken_up_without_a_restart() {
    let part = Part::new().await;
    let served = part.serve().await;
    let file = part.folder.path().join("client.token");
    std::fs::write(&file, part.token(Role::ResourceWriter).await).unwrap();
    let remote = RemoteSettings { token_file: Some(file.clone()), ..settings(served.at) };
    let settings = RemoteValuesSettings::new(remote, Protocol::Trustee);
    let client = RemoteReferenceValues::new(settings, part.clock.clone()).unwrap();
    let error = client.value("a").await.unwrap_err();
    assert_eq!(error.code(), "RPC-003");
    assert!(error.to_string().contains("reference-value-reader"), "{error}");
    std::fs::write(&file, format!("{}\n", part.token(Role::ReferenceValueReader).await)).unwrap();
    assert_eq!(in_the_end(async || client.value("a").await).await, None);
    assert!(!format!("{client:?}").contains("eyJ"), "the token is not shown");
}

#[tokio::test]
async fn without_a_usable_token_there_is_no_client() {
    let part = Part::new().await;
    for (content, word) in [("", "no token"), ("a b", "no token"), ("\u{fc}", "no token")] {
        let file = part.folder.path().join("bad.token");
        std::fs::write(&file, content).unwrap();
        let at = "127.0.0.1:1".parse().unwrap();
        let remote = RemoteSettings { token_file: Some(file), ..settings(at) };
        let settings = RemoteValuesSettings::new(remote, Protocol::Trustee);
        let error = RemoteReferenceValues::new(settings, part.clock.clone()).unwrap_err();
        assert_eq!(error.code(), "RPC-006");
        assert!(error.to_string().contains(word), "{error}");
    }
}
