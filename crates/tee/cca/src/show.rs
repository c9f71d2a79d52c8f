//! A token for people: every claim with its name, as JSON and in CBOR diagnostic notation, and what can
//! be said of its signatures and its binding.
//!
//! Tokens that no verifier would accept are shown as far as they can be read: that is when somebody
//! wants to look at one. A platform token or realm token alone, and bare claims, are shown too.

use assay_cbor::{Limits, Value as Cbor, diagnostic, pretty, read};
use assay_cose::{Curve, LIMITS, PublicKey, Sign1};
use assay_types::{Finding, Outcome};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use crate::claim_reader::algorithm;
use crate::evidence::{CcaEvidence, MAX_TOKEN_LEN, RealmToken, Token};
use crate::{checks, names, published_keys};

/// What can be said of a signature or of the binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds; by what.
    Holds(String),
    /// It does not; why.
    Fails(String),
    /// It cannot be checked; why.
    NotChecked(String),
}

impl Status {
    fn to_json(&self) -> Value {
        let (status, detail) = match self {
            Status::Holds(by) => ("holds", by),
            Status::Fails(why) => ("fails", why),
            Status::NotChecked(why) => ("not-checked", why),
        };
        json!({ "status": status, "detail": detail })
    }

    fn line(&self) -> String {
        match self {
            Status::Holds(by) => format!("✓ holds: {by}"),
            Status::Fails(why) => format!("✗ fails: {why}"),
            Status::NotChecked(why) => format!("– not checked: {why}"),
        }
    }
}

/// Whose claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Platform,
    Realm,
}

impl Layer {
    fn title(self) -> &'static str {
        match self {
            Layer::Platform => "platform token",
            Layer::Realm => "realm token",
        }
    }

    fn names(self) -> &'static [(i64, &'static str)] {
        match self {
            Layer::Platform => names::PLATFORM,
            Layer::Realm => names::REALM,
        }
    }

    /// Bare claims are a platform's when they name an implementation.
    fn of(claims: &Cbor) -> Self {
        if claims.get(2396).is_some() { Layer::Platform } else { Layer::Realm }
    }
}

struct Part {
    layer: Layer,
    algorithm: String,
    claims: Result<Cbor, String>,
    signature: Status,
}

/// A token that was taken apart to be shown.
pub struct Shown {
    wrapper: Option<u64>,
    further: Vec<String>,
    parts: Vec<Part>,
    binding: Option<Status>,
    findings: Vec<Finding>,
}

/// Takes a token apart. `keys` are platform attestation keys to try.
///
/// # Errors
/// What keeps it from being taken apart.
pub fn show(bytes: &[u8], keys: &[PublicKey]) -> Result<Shown, Vec<Finding>> {
    let limits = Limits { bytes: MAX_TOKEN_LEN, ..Limits::DEFAULT };
    match read(bytes, limits) {
        Ok(map @ Cbor::Map(_)) => {
            let layer = Layer::of(&map);
            let signature = Status::NotChecked("bare claims".to_owned());
            let part = Part { layer, algorithm: "none".into(), claims: Ok(map), signature };
            Ok(alone(part))
        }
        Ok(value @ Cbor::Tag(18, _)) => {
            let message = Sign1::from_value(&value).map_err(|error| {
                let expected = "a COSE_Sign1 with tag 18";
                vec![Finding::new(&checks::WRAPPER, Outcome::Failed, expected, "", error.to_string())]
            })?;
            let claims = read(message.payload(), LIMITS).map_err(|error| error.to_string());
            let layer = claims.as_ref().map_or(Layer::Platform, Layer::of);
            Ok(alone(signed(layer, &message, claims, keys)))
        }
        _ => whole(bytes, keys),
    }
}

fn alone(part: Part) -> Shown {
    Shown { wrapper: None, further: Vec::new(), parts: vec![part], binding: None, findings: Vec::new() }
}

fn whole(bytes: &[u8], keys: &[PublicKey]) -> Result<Shown, Vec<Finding>> {
    let token = Token::read(bytes)?;
    let platform_claims = read(token.platform.payload(), LIMITS).map_err(|error| error.to_string());
    let (realm, content) = match &token.realm {
        RealmToken::Signed(message) => {
            let claims = read(message.payload(), LIMITS).map_err(|error| error.to_string());
            let key = claims.as_ref().ok().and_then(|claims| claims.get(44237)).and_then(Cbor::as_bytes);
            let content = key.map(<[u8]>::to_vec);
            (signed(Layer::Realm, message, claims, &[]), content)
        }
        RealmToken::Unsigned(bytes) => {
            let claims = read(bytes, LIMITS).map_err(|error| error.to_string());
            let signature = Status::NotChecked("the realm's claims are not signed".to_owned());
            let part = Part { layer: Layer::Realm, algorithm: "none".into(), claims, signature };
            (part, Some(bytes.clone()))
        }
    };
    let binding = match (&platform_claims, &realm.claims, content) {
        (Ok(platform), Ok(realm), Some(content)) => Some(binding(&token, platform, realm, &content)),
        _ => None,
    };
    let findings = CcaEvidence::read(bytes).err().map_or_else(Vec::new, |error| error.findings().to_vec());
    Ok(Shown {
        wrapper: Some(token.wrapper.tag()),
        parts: vec![signed(Layer::Platform, &token.platform, platform_claims, keys), realm],
        further: token.further,
        binding,
        findings,
    })
}

fn signed(layer: Layer, message: &Sign1, claims: Result<Cbor, String>, keys: &[PublicKey]) -> Part {
    let algorithm = message.algorithm().map_or_else(|error| error.to_string(), |a| a.to_string());
    let signature = match layer {
        Layer::Platform => platform_signature(message, keys),
        Layer::Realm => realm_signature(message, &claims),
    };
    Part { layer, algorithm, claims, signature }
}

fn platform_signature(message: &Sign1, keys: &[PublicKey]) -> Status {
    let mut why = None;
    for key in keys {
        match message.verify(key) {
            Ok(()) => return Status::Holds(by(key)),
            Err(error) => why = Some(error.to_string()),
        }
    }
    why.map_or_else(|| Status::NotChecked("no key was given".to_owned()), Status::Fails)
}

fn realm_signature(message: &Sign1, claims: &Result<Cbor, String>) -> Status {
    let Ok(claims) = claims else { return Status::NotChecked("the claims cannot be read".to_owned()) };
    let Some(content) = claims.get(44237).and_then(Cbor::as_bytes) else {
        return Status::NotChecked("there is no realm attestation key (44237)".to_owned());
    };
    match realm_key(claims, content).map(|key| (message.verify(&key), key)) {
        Ok((Ok(()), key)) => Status::Holds(by(&key)),
        Ok((Err(error), _)) => Status::Fails(error.to_string()),
        Err(error) => Status::Fails(error),
    }
}

fn realm_key(claims: &Cbor, content: &[u8]) -> Result<PublicKey, String> {
    let key = match claims.get(265) {
        None => PublicKey::from_point(Curve::P384, content),
        Some(_) => PublicKey::from_cose_key(content),
    };
    key.map_err(|error| error.to_string())
}

fn by(key: &PublicKey) -> String {
    let fingerprint = hex::encode(key.fingerprint());
    let begin = fingerprint.get(..16).unwrap_or_default();
    match published_keys::find(key) {
        Some(known) => format!("{}, whose private half is PUBLIC", known.whose),
        None => format!("key on {} with SHA-256 {begin}…", key.curve()),
    }
}

fn binding(token: &Token, platform: &Cbor, realm: &Cbor, content: &[u8]) -> Status {
    let (label, what) = match token.realm {
        RealmToken::Signed(_) => (44240, "the realm attestation key"),
        RealmToken::Unsigned(_) => (44236, "the realm's claims"),
    };
    let Some(algorithm) = realm.get(label).and_then(Cbor::as_text).and_then(algorithm) else {
        return Status::NotChecked(format!("the hash algorithm ({label}) is not known"));
    };
    let expected = algorithm.digest(content);
    let claims: Vec<i64> = [2408, 10].into_iter().filter(|key| platform.get(*key).is_some()).collect();
    let equal = |key: &&i64| platform.get(**key).and_then(Cbor::as_bytes) == Some(expected.as_bytes());
    match claims.iter().find(equal) {
        Some(key) => Status::Holds(format!("claim {key} is the {algorithm} of {what}")),
        None => Status::Fails(format!(
            "the {algorithm} of {what} is {}, which is not the value of claim {}",
            expected.to_hex(),
            claims.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        )),
    }
}

impl Shown {
    /// Whether a signature or the binding was checked and does not hold.
    pub fn fails(&self) -> bool {
        let statuses = self.parts.iter().map(|part| &part.signature).chain(&self.binding);
        statuses.into_iter().any(|status| matches!(status, Status::Fails(_)))
    }

    /// What is wrong with the token by its own profile.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// `{"wrapper", "cca-platform-token": {"algorithm", "signature", "claims", "diagnostic"},
    /// "cca-realm-delegated-token": {…}, "binding", "further-entries", "findings"}`. Claims have the
    /// names of ccatoken; byte strings are in standard base64.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        if let Some(wrapper) = self.wrapper {
            out.insert("wrapper".into(), wrapper.into());
        }
        for part in &self.parts {
            let name = match part.layer {
                Layer::Platform => "cca-platform-token",
                Layer::Realm => "cca-realm-delegated-token",
            };
            let (claims, notation) = match &part.claims {
                Ok(claims) => (named(claims, part.layer.names()), Value::String(diagnostic(claims))),
                Err(why) => (Value::Null, Value::String(why.clone())),
            };
            let content = json!({
                "algorithm": part.algorithm, "signature": part.signature.to_json(),
                "claims": claims, "diagnostic": notation,
            });
            out.insert(name.into(), content);
        }
        if let Some(binding) = &self.binding {
            out.insert("binding".into(), binding.to_json());
        }
        out.insert("further-entries".into(), json!(self.further));
        out.insert("findings".into(), json!(self.findings));
        Value::Object(out)
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        if let Some(wrapper) = self.wrapper {
            let kind = if wrapper == 399 { "EAT collection" } else { "CMW collection" };
            out.push_str(&format!("CCA token, tag {wrapper} ({kind})\n"));
        }
        for part in &self.parts {
            out.push_str(&format!("\n{}, {}\n", part.layer.title(), part.algorithm));
            out.push_str(&format!("  signature  {}\n", part.signature.line()));
            match &part.claims {
                Ok(claims) => {
                    let table = part.layer.names();
                    let annotate = |path: &[&Cbor], key: &Cbor| name(table, path, key);
                    out.push_str(&indented(&pretty(claims, &annotate)));
                }
                Err(why) => out.push_str(&format!("  claims     cannot be read: {why}\n")),
            }
        }
        if let Some(binding) = &self.binding {
            out.push_str(&format!("\nbinding of the realm to the platform\n  {}\n", binding.line()));
        }
        if !self.further.is_empty() {
            out.push_str(&format!("\nfurther entries, not used: {}\n", self.further.join(", ")));
        }
        out
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn name(table: &'static [(i64, &'static str)], path: &[&Cbor], key: &Cbor) -> Option<String> {
    let key = key.as_i64()?;
    let found = match path {
        [] => names::name(table, key),
        [outer] if outer.as_i64() == Some(2399) => names::name(names::COMPONENT, key),
        _ => None,
    };
    found.map(str::to_owned)
}

/// Claims as JSON, with their names where they have one.
fn named(claims: &Cbor, table: &'static [(i64, &'static str)]) -> Value {
    let Some(members) = claims.as_map() else { return plain(claims, &[]) };
    let member = |(key, value): &(Cbor, Cbor)| {
        let inner = if key.as_i64() == Some(2399) { names::COMPONENT } else { &[] };
        (key_text(key, table), plain(value, inner))
    };
    Value::Object(members.iter().map(member).collect())
}

fn key_text(key: &Cbor, table: &'static [(i64, &'static str)]) -> String {
    let found = key.as_i64().and_then(|key| names::name(table, key));
    found.map_or_else(|| key.as_text().map_or_else(|| diagnostic(key), str::to_owned), str::to_owned)
}

fn plain(value: &Cbor, table: &'static [(i64, &'static str)]) -> Value {
    match value {
        Cbor::Unsigned(n) => json!(n),
        Cbor::Negative(_) => value.as_i64().map_or_else(|| diagnostic(value).into(), Value::from),
        Cbor::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Cbor::Text(text) => text.as_str().into(),
        Cbor::Bool(value) => (*value).into(),
        Cbor::Null => Value::Null,
        Cbor::Array(items) => items.iter().map(|item| plain(item, table)).collect(),
        Cbor::Map(members) => Value::Object(
            members.iter().map(|(key, value)| (key_text(key, table), plain(value, &[]))).collect(),
        ),
        Cbor::Tag(..) | Cbor::Undefined | Cbor::Simple(_) | Cbor::Float(_) => diagnostic(value).into(),
    }
}
