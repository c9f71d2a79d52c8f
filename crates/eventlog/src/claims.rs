//! Events as claims, in Trustee's shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::{Event, EventDigest, TcgAlgorithm, Unbound};

/// Events as an array of claims, in Trustee's names and encodings:
/// ```json
/// {"index": 2, "type_name": "EV_EFI_ACTION", "digest_matches_event": true,
///  "digests": [{"alg": "SHA-384", "digest": "<lower case hex>"}],
///  "event": "<base64 of the data>", "details": {"string": "..."}}
/// ```
/// `digest_matches_event` says whether the digest of `algorithm` is that of the data; `false` too where
/// this build cannot tell. `digests` has those of `algorithm`, which alone are folded into a register; any
/// others stand in a member `unbound_digests` of the same shape, where no policy takes them for measured
/// ones. The result takes about three times the bytes of the events, and about a kilobyte for each.
pub fn event_claims<'a>(
    events: impl IntoIterator<Item = Event<'a>>,
    algorithm: impl Into<TcgAlgorithm>,
) -> Value {
    let algorithm = algorithm.into();
    events
        .into_iter()
        .map(|event| {
            let mut claim = claim(&event, algorithm);
            let of_algorithm = |digest: &EventDigest<'_>| digest.algorithm == algorithm;
            claim.insert("digests".to_owned(), digest_claims(event.digests().filter(of_algorithm)));
            let others: Vec<_> = event.digests().filter(|digest| !of_algorithm(digest)).collect();
            if !others.is_empty() {
                claim.insert("unbound_digests".to_owned(), digest_claims(others));
            }
            Value::Object(claim)
        })
        .collect()
}

/// Unbound events as an array of claims: those of [`event_claims`], but with all digests in `digests`, and
/// each with a member `reason`.
pub fn unbound_event_claims<'a>(
    unbound: impl IntoIterator<Item = Unbound<'a>>,
    algorithm: impl Into<TcgAlgorithm>,
) -> Value {
    let algorithm = algorithm.into();
    unbound
        .into_iter()
        .map(|unbound| {
            let mut claim = claim(&unbound.event, algorithm);
            claim.insert("digests".to_owned(), digest_claims(unbound.event.digests()));
            claim.insert("reason".to_owned(), Value::from(unbound.reason.to_string()));
            Value::Object(claim)
        })
        .collect()
}

fn digest_claims<'a>(digests: impl IntoIterator<Item = EventDigest<'a>>) -> Value {
    let claim = |digest: EventDigest<'_>| {
        let mut claim = Map::new();
        claim.insert("alg".to_owned(), Value::from(digest.algorithm.to_string()));
        claim.insert("digest".to_owned(), Value::from(hex::encode(digest.value)));
        Value::Object(claim)
    };
    digests.into_iter().map(claim).collect()
}

/// The members that do not depend on whether the event is bound.
fn claim(event: &Event<'_>, algorithm: TcgAlgorithm) -> Map<String, Value> {
    let mut claim = Map::new();
    claim.insert("index".to_owned(), Value::from(event.index));
    claim.insert("type_name".to_owned(), Value::from(event.event_type.to_string()));
    let matches = event.digest_matches(algorithm).unwrap_or(false);
    claim.insert("digest_matches_event".to_owned(), Value::from(matches));
    claim.insert("event".to_owned(), Value::from(base64_text(event.data)));
    claim.insert("details".to_owned(), event.details().to_claims());
    claim
}

pub(crate) fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
