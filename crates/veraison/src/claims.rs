//! From an attestation result that is signed to authenticated claims. No I/O.

use std::sync::Arc;

use assay_types::{
    Authenticated, Binding, Checks, Claims, Digest, Facts, ReportData, Tee, TeeClaimText as _, TeeClass,
    TrustClaim, TrustTier, UnixTime, Validity,
};
use serde_json::{Map, Value};

use crate::appraisal::VeraisonAppraisal;
use crate::checks;
use crate::ear::{AttestationResult, LayerResult, PLATFORM, REALM, SCHEME, Submodules};
use crate::error::{VeraisonError, VeraisonFailure, shown};
use crate::{MediaType, base64_text};

/// AR4SI: cryptographic validation failed.
const NOT_AUTHENTIC: i8 = 99;

/// What the service was asked for, and how its answer is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The nonce of the session: the challenge that the realm must have put into its token.
    pub nonce: ReportData,
    /// The digest of the init data, where there are some.
    pub init_data: Option<Digest>,
    /// The media type that the evidence was sent as.
    pub media_type: MediaType,
    /// When the session was asked for.
    pub asked_at: UnixTime,
    /// How far the clocks may differ, in seconds.
    pub clock_skew_seconds: u32,
    /// How long a result counts from its `iat`, in seconds.
    pub lifetime_seconds: u32,
}

impl Asked {
    /// The nonce for `binding`: its report data, padded.
    ///
    /// # Errors
    /// [`VeraisonError::NoChallenge`] when there are none, or too many bytes. Without a nonce the
    /// answer would say nothing of freshness.
    pub(crate) fn nonce_of(binding: &Binding) -> Result<ReportData, VeraisonError> {
        let refused = |why: String| VeraisonError::NoChallenge { why };
        let data = binding.report_data.as_ref().ok_or_else(|| refused("there is none".to_owned()))?;
        ReportData::padded(data).map_err(|error| refused(error.to_string()))
    }

    /// Whether the result was made for this session, and when it counts.
    fn check_fresh(&self, ear: &AttestationResult, now: UnixTime) -> Result<Validity, VeraisonError> {
        if ear.nonce != self.nonce.as_bytes() {
            let (expected, found) = (self.nonce.to_string(), ear.nonce.to_claim());
            return Err(VeraisonError::EarNonce { expected, found });
        }
        let skew = i64::from(self.clock_skew_seconds);
        let begins = ear.not_before.map_or(ear.issued_at, |nbf| nbf.max(ear.issued_at));
        let ends = ear.expires.unwrap_or(UnixTime::MAX);
        let validity = Validity { not_before: begins, not_after: ends };
        if begins > now.plus(skew) || ear.issued_at < self.asked_at.plus(-skew) || ends.plus(skew) <= now {
            return Err(VeraisonError::EarTime { validity, asked_at: self.asked_at, now });
        }
        // A clock that is ahead by less than the skew must not make a result of the future.
        let not_before = begins.min(now);
        let not_after = ends.min(ear.issued_at.plus(i64::from(self.lifetime_seconds))).max(not_before);
        Ok(Validity { not_before, not_after })
    }
}

/// Judges a result whose signature holds, as it is there at `now`.
///
/// The claims are `{"platform": {…}, "realm": {…}}`, the annotated evidence of the two submodules as
/// the service wrote it. The report data are the realm's challenge in hex, the init data its
/// personalisation value in hex.
///
/// # Errors
/// [`VeraisonFailure::Service`] when the result is not one for this session; else
/// [`VeraisonFailure::Evidence`] when the service did not find the token authentic, or when it is
/// bound to something else.
pub fn authenticate(
    ear: AttestationResult,
    signed_by: &str,
    asked: &Asked,
    now: UnixTime,
) -> Result<Authenticated, VeraisonFailure> {
    let validity = asked.check_fresh(&ear, now)?;
    let mut record = Checks::new(checks::CHECKS);
    record.pass(&checks::TOKEN, "");
    record.pass(&checks::SESSION, "");
    record.pass(&checks::MEDIA_TYPE, asked.media_type.to_string());
    record.pass(&checks::SIGNATURE, shown(signed_by));
    record.pass(&checks::PROFILE, ear.profile.clone());
    record.pass(&checks::NONCE, asked.nonce.to_string());
    record.pass(&checks::TIME, ear.issued_at.to_string());
    let (platform, realm) = match ear.submodules {
        Submodules::Appraised { platform, realm } => (platform, realm),
        Submodules::Refused(refused) => return Err(refusal(record, &refused)),
    };
    record.pass(&checks::SUBMODULES, format!("{PLATFORM}, {REALM}"));
    let statuses = format!("{PLATFORM} {}, {REALM} {}", platform.status, realm.status);
    record.pass(&checks::STATUS, statuses.clone());
    check_accepted(&mut record, [(PLATFORM, &platform), (REALM, &realm)], statuses)?;

    let challenge = match field(&realm, "cca-realm-challenge") {
        Ok(Some(challenge)) => challenge,
        // Of evidence that was not accepted there may be no claims.
        _ if record.any_failed() => return Err(record.reject().into()),
        Ok(None) => {
            let why = format!("the annotated evidence of {REALM} has no cca-realm-challenge");
            return Err(VeraisonError::NotAnEar { why }.into());
        }
        Err(error) => return Err(error.into()),
    };
    record.equal(
        &checks::CHALLENGE,
        &asked.nonce.to_string(),
        &challenge.to_claim(),
        "the token was made for another nonce or key",
    );
    let personalisation = field(&realm, "cca-realm-personalization-value")?;
    check_init_data(&mut record, asked.init_data.as_ref(), personalisation.as_deref());

    let mut claims = Claims::new();
    claims.insert("platform".into(), Value::Object(platform.annotated_evidence.clone()));
    claims.insert("realm".into(), Value::Object(realm.annotated_evidence.clone()));
    let authenticated = record.finish(Facts {
        tee: Tee::Cca,
        class: TeeClass::Cpu,
        claims,
        report_data: Some(challenge.to_claim()),
        init_data: personalisation.map(|value| value.to_claim()),
        validity,
        collateral: Vec::new(),
        emulated: platform.says_emulated() || realm.says_emulated(),
        appraiser: Some(Arc::new(VeraisonAppraisal::new(*platform, *realm, ear.verifier))),
    })?;
    Ok(authenticated)
}

/// `ARM_CCA` alone: the evidence was refused before it was appraised.
fn refusal(mut record: Checks, refused: &LayerResult) -> VeraisonFailure {
    let problem = refused.problem().map(shown);
    if TrustClaim::ALL.into_iter().any(|claim| refused.vector.get(claim) == -1) {
        let detail = problem.unwrap_or_default();
        return VeraisonError::Malfunction { submodule: SCHEME, detail }.into();
    }
    record.pass(&checks::SUBMODULES, SCHEME);
    record.pass(&checks::STATUS, format!("{SCHEME} {}", refused.status));
    let detail = problem.unwrap_or_else(|| "the service gives no reason".to_owned());
    record.fail(&checks::ACCEPTED, format!("{PLATFORM} and {REALM}"), format!("{SCHEME} alone"), detail);
    record.reject().into()
}

/// Each layer is authentic and was appraised.
fn check_accepted(
    record: &mut Checks,
    layers: [(&'static str, &LayerResult); 2],
    statuses: String,
) -> Result<(), VeraisonError> {
    let mut accepted = true;
    for (submodule, layer) in layers {
        let values = || TrustClaim::ALL.into_iter().map(|claim| (claim, layer.vector.get(claim)));
        let problem = layer.problem().map(shown).unwrap_or_default();
        let broken: Vec<String> =
            values().filter(|(_, v)| *v == NOT_AUTHENTIC).map(|(claim, _)| claim.to_string()).collect();
        if !broken.is_empty() {
            let found = format!("{submodule}: {} {NOT_AUTHENTIC}", broken.join(", "));
            let detail = format!("cryptographic validation failed{}", after_colon(&problem));
            record.fail(&checks::ACCEPTED, "authentic evidence", found, detail);
            accepted = false;
        } else if layer.vector.status() == TrustTier::None {
            if values().any(|(_, value)| value == -1) {
                return Err(VeraisonError::Malfunction { submodule, detail: problem });
            }
            let detail = format!("the service did not appraise this layer{}", after_colon(&problem));
            record.fail(&checks::ACCEPTED, "a trustworthiness claim", format!("{submodule}: none"), detail);
            accepted = false;
        }
    }
    if accepted {
        record.pass(&checks::ACCEPTED, statuses);
    }
    Ok(())
}

fn after_colon(problem: &str) -> String {
    if problem.is_empty() { String::new() } else { format!(": {problem}") }
}

/// A byte string of the annotated evidence, base64 as Go writes it; 64 bytes in both cases.
fn field(layer: &LayerResult, name: &str) -> Result<Option<Vec<u8>>, VeraisonError> {
    let evidence: &Map<String, Value> = &layer.annotated_evidence;
    let Some(value) = evidence.get(name) else { return Ok(None) };
    let bytes = value.as_str().and_then(base64_text::decode).filter(|bytes| bytes.len() == 64);
    bytes
        .map(Some)
        .ok_or_else(|| VeraisonError::NotAnEar { why: format!("{name} is not the base64 of 64 bytes") })
}

fn check_init_data(record: &mut Checks, expected: Option<&Digest>, found: Option<&[u8]>) {
    let check = &checks::INIT_DATA;
    let Some(digest) = expected else {
        return record.not_checked(check, "no expected init data were given");
    };
    // No digest is longer than the field, so nothing is cut off; were there one, it would not match.
    let expected = match ReportData::padded(digest.as_bytes()) {
        Ok(padded) => padded.to_string(),
        Err(error) => return record.fail(check, "a digest of at most 64 bytes", error.to_string(), ""),
    };
    let found = found.map(|value| value.to_claim()).unwrap_or_default();
    record.equal(check, &expected, &found, "the realm was started with other init data");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KNOWN_PROFILES;
    use crate::appraisal::tests::NoValues;
    use assay_types::TrustVector;
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use proptest::prelude::{ProptestConfig, any, proptest};
    use serde_json::json;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn asked() -> Asked {
        Asked {
            nonce: ReportData::new([7; 64]),
            init_data: None,
            media_type: MediaType::read(crate::CCA_MEDIA_TYPE).unwrap(),
            asked_at: NOW,
            clock_skew_seconds: 60,
            lifetime_seconds: 300,
        }
    }

    fn ear(platform: Value, realm: Value, statuses: [&str; 2], iat: i64) -> Value {
        json!({
            "eat_profile": KNOWN_PROFILES[0], "iat": iat, "eat_nonce": BASE64_STANDARD.encode([7; 64]),
            "submods": {
                "CCA_SSD_PLATFORM": {"ear.status": statuses[0], "ear.trustworthiness-vector": platform},
                "CCA_REALM": {
                    "ear.status": statuses[1], "ear.trustworthiness-vector": realm,
                    "ear.veraison.annotated-evidence": {"cca-realm-challenge": BASE64_STANDARD.encode([7; 64])},
                },
            },
        })
    }

    /// The tier by its rank.
    fn tier(rank: u8) -> TrustTier {
        match rank {
            0 => TrustTier::None,
            1 => TrustTier::Affirming,
            2 => TrustTier::Warning,
            _ => TrustTier::Contraindicated,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_layer_comes_out_better_than_its_status_or_its_vector(
            executables in any::<i8>(), hardware in any::<i8>(), ranks in [0..4_u8, 0..4],
        ) {
            let vector = TrustVector { executables, hardware, ..TrustVector::default() };
            let good = TrustVector { executables: 2, ..TrustVector::default() };
            let statuses = ranks.map(tier);
            let ear = ear(json!(vector), json!(good), statuses.map(TrustTier::as_str), NOW.0);
            let result = AttestationResult::read(ear.to_string().as_bytes());
            let better = statuses[0] < vector.status() || statuses[1] < TrustTier::Affirming;
            assert_eq!(result.is_err(), better);
            let Ok(result) = result else { return Ok(()) };
            let authenticated = authenticate(result, "key", &asked(), NOW);
            let accepted = executables != 99 && hardware != 99 && vector.status() != TrustTier::None;
            assert_eq!(authenticated.is_ok(), accepted);
            let Ok(authenticated) = authenticated else { return Ok(()) };
            let appraisal = authenticated.facts().appraiser.as_ref().unwrap().appraise(&NoValues, NOW);
            for (layer, status) in appraisal.layers.iter().zip(statuses) {
                assert_eq!(layer.trust_vector.status(), status);
            }
        }

        #[test]
        fn any_time_of_issue_gives_a_span_around_now_or_an_error(iat in any::<i64>(), near in -70..70_i64) {
            let good = json!({"executables": 2});
            for iat in [iat, NOW.0 + near] {
                let ear = ear(good.clone(), good.clone(), ["affirming"; 2], iat);
                let result = AttestationResult::read(ear.to_string().as_bytes()).unwrap();
                let authenticated = authenticate(result, "key", &asked(), NOW);
                assert_eq!(authenticated.is_ok(), (NOW.0 - 60..=NOW.0 + 60).contains(&iat));
                if let Ok(authenticated) = authenticated {
                    assert!(authenticated.facts().validity.contains(NOW));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[\\[\\]{}\":,a-z0-9._ -]{0,60}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                assert!(AttestationResult::read(bytes).is_err());
                assert!(crate::Session::read(bytes).is_err());
                assert!(crate::Discovery::read(bytes).is_err());
            }
        }
    }
}
