//! The wire form: JSON, wrapper, the two tokens in it, and their claims. No I/O, no cryptography.
//!
//! ```text
//! {"token": [bytes]}  or the bytes alone
//!   399({44234: bytes, 44241: bytes})                       EAT collection, RMM 1.0
//!   907({44234: [263, bytes], 44241: [263|267, bytes]})     CMW collection, RMM 1.1 and later
//! ```
//! The bytes of 44234 are a COSE_Sign1 with the platform's claims. Those of 44241 are a COSE_Sign1 with
//! the realm's claims or, in the direct model, these claims alone (content format 267). See
//! draft-ffm-rats-cca-token-04, 3 and 4.1, and draft-ietf-rats-msg-wrap.

use assay_cbor::{Limits, Value, diagnostic, read};
use assay_cose::{LIMITS, Sign1};
use assay_types::{Check, Finding, Outcome, RawEvidence, VerifyError};
use serde::Deserialize;

use crate::profile::Model;
use crate::{PlatformClaims, RealmClaims, checks, names};

/// The key of the platform token.
pub const PLATFORM_ENTRY: i64 = 44234;
/// The key of the realm token.
pub const REALM_ENTRY: i64 = 44241;
/// The CoAP content format of `application/eat+cwt`: a signed token.
pub const EAT_CWT: u64 = 263;
/// The CoAP content format of `application/eat-ucs+cbor`: claims that are not signed.
pub const EAT_UCS: u64 = 267;

/// The longest token that is read, in bytes (1 MiB). Tokens have 1 to 4 KiB.
pub const MAX_TOKEN_LEN: usize = 1 << 20;

/// What stands around the two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// Tag 399: an EAT collection, as RMM 1.0 makes it.
    EatCollection,
    /// Tag 907: a CMW collection.
    CmwCollection,
}

impl Wrapper {
    /// The tag.
    pub const fn tag(self) -> u64 {
        match self {
            Wrapper::EatCollection => 399,
            Wrapper::CmwCollection => 907,
        }
    }

    /// The wrapper with this tag.
    pub const fn from_tag(tag: u64) -> Option<Self> {
        match tag {
            399 => Some(Wrapper::EatCollection),
            907 => Some(Wrapper::CmwCollection),
            _ => None,
        }
    }
}

/// The realm's part of a token.
#[derive(Clone, Debug, PartialEq)]
pub enum RealmToken {
    /// Claims signed by the realm attestation key.
    Signed(Sign1),
    /// Claims alone, encoded: the direct model.
    Unsigned(Vec<u8>),
}

/// A token in its parts. Nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What stands around.
    pub wrapper: Wrapper,
    /// The platform token.
    pub platform: Sign1,
    /// The realm token.
    pub realm: RealmToken,
    /// The keys of further entries, in diagnostic notation.
    pub further: Vec<String>,
}

/// Evidence that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct CcaEvidence {
    /// The token in its parts.
    pub token: Token,
    /// The platform's claims.
    pub platform: PlatformClaims,
    /// The realm's claims.
    pub realm: RealmClaims,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    token: Vec<u8>,
}

fn malformed(check: &Check, expected: &str, found: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding::new(check, Outcome::Failed, expected, found, detail)
}

/// The bytes of the token: out of JSON `{"token": [bytes]}`, or the evidence itself.
///
/// # Errors
/// [`VerifyError::Malformed`]: too long, or JSON of another form.
pub fn token_bytes(evidence: &RawEvidence) -> Result<Vec<u8>, VerifyError> {
    let found = evidence.bytes.len();
    if found > RawEvidence::MAX_LEN {
        let most = format!("at most {} bytes", RawEvidence::MAX_LEN);
        return Err(VerifyError::malformed(&checks::EVIDENCE_FORM, most, format!("{found} bytes"), ""));
    }
    if !evidence.is_json() {
        return Ok(evidence.bytes.to_vec());
    }
    let json: Json = serde_json::from_slice(&evidence.bytes).map_err(|error| {
        VerifyError::malformed(&checks::EVIDENCE_FORM, "{\"token\": [bytes]}", "", error.to_string())
    })?;
    Ok(json.token)
}

impl Token {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Every finding that can be made: CCA-001 to CCA-004.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let limits = Limits { bytes: MAX_TOKEN_LEN, depth: 8, items: 1 << 12 };
        let outer = read(bytes, limits).map_err(|error| {
            vec![malformed(&checks::WRAPPER, "a CBOR item with tag 399 or 907", "", error.to_string())]
        })?;
        let not_wrapped = |found: String| vec![malformed(&checks::WRAPPER, "tag 399 or 907", found, "")];
        let (tag, content) = outer.as_tag().ok_or_else(|| not_wrapped(outer.describe()))?;
        let wrapper = Wrapper::from_tag(tag).ok_or_else(|| not_wrapped(format!("tag {tag}")))?;
        let entries = content.as_map().ok_or_else(|| {
            vec![malformed(&checks::WRAPPER, "a map", content.describe(), "the token's entries")]
        })?;
        let mut findings = Vec::new();
        let platform = entry(content, PLATFORM_ENTRY, wrapper, &mut findings);
        let realm = entry(content, REALM_ENTRY, wrapper, &mut findings);
        let known = |key: &Value| {
            key.as_i64().is_some_and(|key| names::name(names::ENTRIES, key).is_some())
                || key.as_text() == Some("__cmwc_t")
        };
        let further = entries.iter().map(|(key, _)| key).filter(|key| !known(key));
        let further = further.map(|key| diagnostic(key).chars().take(64).collect()).collect();

        let platform = platform.and_then(|(format, bytes)| {
            if format != EAT_CWT {
                let found = format!("content format {format}");
                findings.push(malformed(
                    &checks::WRAPPER,
                    "263 (application/eat+cwt)",
                    found,
                    "platform token",
                ));
                return None;
            }
            sign1(&checks::PLATFORM_TOKEN, bytes, &mut findings)
        });
        let realm = realm.and_then(|(format, bytes)| match format {
            EAT_UCS => Some(RealmToken::Unsigned(bytes.to_vec())),
            _ => sign1(&checks::REALM_TOKEN, bytes, &mut findings).map(RealmToken::Signed),
        });
        match (platform, realm) {
            (Some(platform), Some(realm)) if findings.is_empty() => {
                Ok(Token { wrapper, platform, realm, further })
            }
            _ => Err(findings),
        }
    }
}

/// The content format and the bytes of an entry.
fn entry<'a>(
    entries: &'a Value,
    key: i64,
    wrapper: Wrapper,
    findings: &mut Vec<Finding>,
) -> Option<(u64, &'a [u8])> {
    let name = names::name(names::ENTRIES, key).unwrap_or_default();
    let detail = format!("{name} ({key})");
    let Some(value) = entries.get(key) else {
        findings.push(malformed(&checks::WRAPPER, "an entry", "nothing", detail));
        return None;
    };
    let found = match (wrapper, value.as_array()) {
        (Wrapper::EatCollection, _) => value.as_bytes().map(|bytes| (EAT_CWT, bytes)),
        // A record may have an indicator behind; it says what both are anyway: evidence.
        (Wrapper::CmwCollection, Some([format, bytes] | [format, bytes, Value::Unsigned(_)])) => {
            content_format(format).zip(bytes.as_bytes())
        }
        (Wrapper::CmwCollection, _) => None,
    };
    if found.is_none() {
        let expected = match wrapper {
            Wrapper::EatCollection => "a byte string",
            Wrapper::CmwCollection => "[263, a byte string]",
        };
        let found = match value.as_array() {
            Some([format, ..]) => format!("{} of type {}", value.describe(), cut(&diagnostic(format))),
            _ => value.describe(),
        };
        findings.push(malformed(&checks::WRAPPER, expected, found, detail));
    }
    found
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The type of a record, as number or as media type.
fn content_format(value: &Value) -> Option<u64> {
    let format = match value.as_text() {
        Some("application/eat+cwt") => Some(EAT_CWT),
        Some("application/eat-ucs+cbor") => Some(EAT_UCS),
        _ => value.as_u64(),
    };
    format.filter(|format| [EAT_CWT, EAT_UCS].contains(format))
}

fn sign1(check: &'static Check, bytes: &[u8], findings: &mut Vec<Finding>) -> Option<Sign1> {
    match Sign1::read(bytes) {
        Ok(message) => Some(message),
        Err(error) => {
            findings.push(malformed(check, "a COSE_Sign1 with tag 18", "", error.to_string()));
            None
        }
    }
}

impl CcaEvidence {
    /// Reads a bare token.
    ///
    /// # Errors
    /// [`VerifyError::Malformed`] with every finding that can be made, [`VerifyError::Unsupported`] when
    /// a profile that is not known is among them.
    pub fn read(bytes: &[u8]) -> Result<Self, VerifyError> {
        let token = Token::read(bytes).map_err(VerifyError::Malformed)?;
        let mut findings = Vec::new();
        let platform = claims(token.platform.payload(), &checks::PLATFORM_TYPES, "platform", &mut findings)
            .and_then(|map| PlatformClaims::read(&map, &mut findings));
        let (payload, model) = match &token.realm {
            RealmToken::Signed(message) => (message.payload(), Model::Delegated),
            RealmToken::Unsigned(bytes) => (bytes.as_slice(), Model::Direct),
        };
        let realm = claims(payload, &checks::REALM_TYPES, "realm", &mut findings)
            .and_then(|map| RealmClaims::read(&map, model, &mut findings));
        if let Some(platform) = &platform {
            check_model(platform.profile.model, model, &mut findings);
        }
        match (platform, realm) {
            (Some(platform), Some(realm)) if findings.is_empty() => {
                Ok(CcaEvidence { token, platform, realm })
            }
            _ => Err(refused(findings)),
        }
    }
}

fn claims(payload: &[u8], check: &'static Check, layer: &str, findings: &mut Vec<Finding>) -> Option<Value> {
    match read(payload, LIMITS) {
        Ok(map) => Some(map),
        Err(error) => {
            let detail = format!("the claims of the {layer} token: {error}");
            findings.push(malformed(check, "a CBOR map", "", detail));
            None
        }
    }
}

/// The platform's profile says whether the realm's claims are signed.
fn check_model(by_profile: Model, found: Model, findings: &mut Vec<Finding>) {
    let (expected, is) = match (by_profile, found) {
        (Model::Direct, Model::Direct) => return,
        (Model::Direct, _) => ("claims that are not signed (content format 267)", "a signed token"),
        (_, Model::Direct) => ("a signed token (content format 263)", "claims that are not signed"),
        _ => return,
    };
    findings.push(malformed(&checks::REALM_TOKEN, expected, is, "by the profile of the platform token"));
}

fn refused(findings: Vec<Finding>) -> VerifyError {
    let unknown = [checks::PLATFORM_PROFILE.code, checks::REALM_PROFILE.code];
    if findings.iter().any(|finding| unknown.contains(&finding.code.as_ref())) {
        VerifyError::Unsupported(findings)
    } else {
        VerifyError::Malformed(findings)
    }
}
