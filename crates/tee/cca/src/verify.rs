//! The verifier: evidence, trust anchors and the time in; authenticated claims or findings out.
//!
//! Rules that the specifications leave to the verifier:
//! - A hash binds the bytes of the realm attestation key as they came, never a re-encoding.
//! - The realm's challenge has 64 bytes; shorter report data are padded with zeros on the right.
//! - The digest of init data is compared with the personalization value, padded in the same way: the
//!   guest components do that, and Trustee compares all 64 bytes.
//! - Whether lifecycle, firmware, configuration and measurements are wanted is not judged here.

use std::sync::Arc;

use assay_cose::{CoseError, Curve, PublicKey, Sign1};
use assay_types::{
    Authenticated, Binding, Check, Checks, CollateralOrigin, CollateralRequest, CollateralSet, Facts,
    HashAlgorithm, ParsedEvidence, RawEvidence, Tee, TeeClaimText, TeeClass, UnixTime, Verifier, VerifyError,
};
use moka::sync::Cache;

use crate::appraise::CcaAppraiser;
use crate::checks::{self, CHECKS};
use crate::claim_reader::algorithm_name;
use crate::evidence::{CcaEvidence, RealmToken, token_bytes};
use crate::profile::Model;
use crate::settings::CcaSettings;
use crate::trust_anchors::{self, Candidate, Found, ReadCache};
use crate::{claims, published_keys};

/// Verifies evidence of Arm CCA.
pub struct CcaVerifier(Arc<Inner>);

struct Inner {
    settings: CcaSettings,
    anchors: ReadCache,
}

impl std::fmt::Debug for CcaVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CcaVerifier").field(&self.0.settings).finish()
    }
}

impl CcaVerifier {
    /// A verifier with these settings.
    pub fn new(settings: CcaSettings) -> Self {
        let anchors = Cache::new(settings.cached_anchors);
        CcaVerifier(Arc::new(Inner { settings, anchors }))
    }
}

impl Verifier for CcaVerifier {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    fn checks(&self) -> &'static [Check] {
        CHECKS
    }

    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError> {
        let evidence = CcaEvidence::read(&token_bytes(evidence)?)?;
        Ok(Box::new(Parsed { evidence, verifier: Arc::clone(&self.0) }))
    }
}

struct Parsed {
    evidence: CcaEvidence,
    verifier: Arc<Inner>,
}

impl ParsedEvidence for Parsed {
    fn collateral_needed(&self, _now: UnixTime) -> Vec<CollateralRequest> {
        vec![trust_anchors::request(&self.evidence.platform)]
    }

    fn verify(
        &self,
        binding: &Binding,
        collateral: &CollateralSet,
        now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError> {
        let Inner { settings, anchors } = &*self.verifier;
        let mut checks = Checks::new(CHECKS);
        self.record_form(&mut checks);
        self.check_lengths(&mut checks);
        let found =
            trust_anchors::find(&self.evidence.platform, collateral, &settings.emulated, anchors, now);
        let anchor = self.check_platform(&mut checks, &found);
        let realm_emulated = self.check_realm(&mut checks);
        self.check_binding(&mut checks);
        self.check_challenges(&mut checks, binding);
        checks.init_data(&checks::INIT_DATA, binding, &self.evidence.realm.personalization_value);

        let (Some(anchor), Some(realm_emulated)) = (anchor, realm_emulated) else {
            return Err(checks.reject());
        };
        let CcaEvidence { platform, realm, .. } = &self.evidence;
        let published = published_keys::find(&anchor.key).is_some();
        let authenticated = checks.finish(Facts {
            tee: Tee::Cca,
            class: TeeClass::Cpu,
            claims: claims::claims(&self.evidence),
            report_data: Some(realm.challenge.to_claim()),
            init_data: Some(realm.personalization_value.to_claim()),
            validity: anchor.used.validity,
            collateral: vec![anchor.used],
            emulated: anchor.emulated || published || realm_emulated,
            appraiser: Some(Arc::new(CcaAppraiser::new(platform.clone(), realm.clone()))),
        })?;
        Ok(vec![authenticated])
    }
}

impl Parsed {
    /// What was found good while the token was read; else there would be nothing parsed.
    fn record_form(&self, checks: &mut Checks) {
        let CcaEvidence { token, platform, realm } = &self.evidence;
        checks.pass(&checks::EVIDENCE_FORM, "a token");
        checks.pass(&checks::WRAPPER, format!("tag {}", token.wrapper.tag()));
        checks.pass(&checks::PLATFORM_TOKEN, "COSE_Sign1");
        let form = if platform.profile.model == Model::Direct { "claims alone" } else { "COSE_Sign1" };
        checks.pass(&checks::REALM_TOKEN, form);
        checks.pass(&checks::PLATFORM_PROFILE, platform.profile.name);
        checks.pass(&checks::REALM_PROFILE, realm.profile.to_string());
        for check in [
            &checks::PLATFORM_MANDATORY,
            &checks::PLATFORM_TYPES,
            &checks::REALM_MANDATORY,
            &checks::REALM_TYPES,
        ] {
            checks.pass(check, "");
        }
        checks.pass(&checks::BINDING_CLAIM, format!("claim {}", platform.profile.binding.key()));
        let lifecycle = format!("{:#06x}, {}", platform.lifecycle, platform.lifecycle_state);
        checks.pass(&checks::LIFECYCLE, lifecycle);
        let length = realm.extensible_measurements.first().map_or(0, Vec::len);
        checks.pass(&checks::REMS, format!("4 of {length} bytes"));
        checks.pass(&checks::ALGORITHMS, algorithm_name(platform.hash_algorithm));
        if token.further.is_empty() {
            checks.pass(&checks::FURTHER_ENTRIES, "");
        } else {
            let why = format!("the token has entries that are not used: {}", token.further.join(", "));
            checks.not_checked(&checks::FURTHER_ENTRIES, why);
        }
    }

    fn check_lengths(&self, checks: &mut Checks) {
        let CcaEvidence { platform, realm, .. } = &self.evidence;
        let mut odd = Vec::new();
        let mut look = |what: String, algorithm: HashAlgorithm, value: &[u8]| {
            if value.len() != algorithm.digest_len() {
                odd.push(format!(
                    "{what} has {} bytes, not those of {}",
                    value.len(),
                    algorithm_name(algorithm)
                ));
            }
        };
        for (index, component) in platform.components.iter().enumerate() {
            let algorithm = component.hash_algorithm.unwrap_or(platform.hash_algorithm);
            look(format!("software component {index}"), algorithm, &component.measurement);
        }
        look("the initial measurement".to_owned(), realm.hash_algorithm, &realm.initial_measurement);
        for (index, measurement) in realm.extensible_measurements.iter().enumerate() {
            look(format!("extensible measurement {index}"), realm.hash_algorithm, measurement);
        }
        if odd.is_empty() {
            checks.pass(&checks::MEASUREMENT_LENGTHS, "");
        } else if self.verifier.settings.strict_lengths {
            checks.fail(&checks::MEASUREMENT_LENGTHS, "", "", odd.join("; "));
        } else {
            let why = format!("not required, because firmware in the field differs: {}", odd.join("; "));
            checks.not_checked(&checks::MEASUREMENT_LENGTHS, why);
        }
    }

    /// The key that signed the platform token.
    fn check_platform(&self, checks: &mut Checks, found: &Found) -> Option<Candidate> {
        if found.unusable.is_empty() {
            checks.pass(&checks::COLLATERAL_USABLE, "");
        } else {
            let why = format!("not used: {}", found.unusable.join("; "));
            checks.not_checked(&checks::COLLATERAL_USABLE, why);
        }
        if found.by_hand.is_empty() {
            checks.pass(&checks::ENDORSEMENT_SIGNATURE, "");
        } else {
            let why = format!("taken as given by hand: {}", found.by_hand.join("; "));
            checks.not_checked(&checks::ENDORSEMENT_SIGNATURE, why);
        }
        let platform = &self.evidence.platform;
        let instance = format!(
            "a key for implementation {}, instance {}",
            hex::encode(platform.implementation_id),
            hex::encode(platform.instance_id)
        );
        if found.candidates.is_empty() {
            let none = match found.others {
                0 => "none".to_owned(),
                others => format!("none; {others} for other platforms"),
            };
            checks.fail(&checks::TRUST_ANCHOR, instance, none, "");
            return None;
        }
        checks.pass(&checks::TRUST_ANCHOR, instance);
        let message = &self.evidence.token.platform;
        let fitting = |candidate: &&Candidate| {
            message.algorithm().is_ok_and(|algorithm| algorithm.curve() == candidate.key.curve())
        };
        let fitting: Vec<&Candidate> = found.candidates.iter().filter(fitting).collect();
        if fitting.is_empty() {
            let curves: Vec<String> = found.candidates.iter().map(|c| c.key.curve().to_string()).collect();
            let (found, detail) = algorithm_text(message);
            checks.fail(
                &checks::PLATFORM_ALGORITHM,
                format!("the algorithm of a key on {}", curves.join(", ")),
                found,
                detail,
            );
            return None;
        }
        checks.pass(&checks::PLATFORM_ALGORITHM, algorithm_text(message).0);
        let mut why = CoseError::BadSignature;
        for candidate in &fitting {
            match message.verify(&candidate.key) {
                Ok(()) => {
                    checks.pass(&checks::PLATFORM_SIGNATURE, &*candidate.used.name);
                    self.check_published(
                        checks,
                        &checks::PLATFORM_TEST_KEY,
                        &candidate.key,
                        Some(*candidate),
                    );
                    return Some((*candidate).clone());
                }
                Err(error) => why = error,
            }
        }
        let expected = format!("a signature by {}", fitting.first().map_or("", |c| c.used.name.as_str()));
        checks.fail(&checks::PLATFORM_SIGNATURE, expected, "another", why.to_string());
        None
    }

    /// Whether a key is one whose private half is public. Returns whether it is. An emulator's key is
    /// admitted with its anchors, and where a person gives it by hand; the result says so in any case.
    fn check_published(
        &self,
        checks: &mut Checks,
        check: &Check,
        key: &PublicKey,
        anchor: Option<&Candidate>,
    ) -> bool {
        let Some(known) = published_keys::find(key) else {
            checks.pass(check, "");
            return false;
        };
        let by_hand = |anchor: &Candidate| matches!(anchor.used.origin, CollateralOrigin::File(_));
        let admitted = anchor.is_some_and(|anchor| anchor.emulated || (known.emulator && by_hand(anchor)));
        if self.verifier.settings.allow_test_keys {
            checks.not_checked(check, format!("{}, admitted by a danger option", known.whose));
        } else if admitted {
            checks.not_checked(check, format!("{}, given by hand or admitted as an emulator's", known.whose));
        } else {
            checks.fail(check, "a key that only its platform has", known.whose, "");
        }
        true
    }

    /// The realm's signature. Returns whether its key is a published one; `None` when a check failed
    /// that leaves this open.
    fn check_realm(&self, checks: &mut Checks) -> Option<bool> {
        const DIRECT: &str = "direct model: the realm's claims are not signed";
        let (RealmToken::Signed(message), Some(content)) =
            (&self.evidence.token.realm, &self.evidence.realm.public_key)
        else {
            for check in
                [&checks::RAK, &checks::REALM_TEST_KEY, &checks::REALM_ALGORITHM, &checks::REALM_SIGNATURE]
            {
                checks.not_checked(check, DIRECT);
            }
            return Some(false);
        };
        let raw = self.evidence.realm.profile.has_raw_key();
        let key =
            if raw { PublicKey::from_point(Curve::P384, content) } else { PublicKey::from_cose_key(content) };
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                let expected = if raw { "a point on P-384 of 97 bytes" } else { "an encoded COSE_Key" };
                checks.fail(
                    &checks::RAK,
                    format!("{expected}, by the profile {}", self.evidence.realm.profile),
                    format!("{} bytes", content.len()),
                    error.to_string(),
                );
                return None;
            }
        };
        checks
            .pass(&checks::RAK, format!("{} {}", if raw { "point on" } else { "COSE_Key on" }, key.curve()));
        // The platform vouches for the key, so an emulated platform's realms are emulated already.
        let published = self.check_published(checks, &checks::REALM_TEST_KEY, &key, None);
        match message.verify(&key) {
            Ok(()) => {
                checks.pass(&checks::REALM_ALGORITHM, algorithm_text(message).0);
                checks.pass(&checks::REALM_SIGNATURE, "by the realm attestation key");
            }
            Err(error @ (CoseError::BadSignature | CoseError::SignatureLength { .. })) => {
                checks.pass(&checks::REALM_ALGORITHM, algorithm_text(message).0);
                let expected = "a signature by the realm attestation key";
                checks.fail(&checks::REALM_SIGNATURE, expected, "another", error.to_string());
            }
            Err(_) => {
                let (found, detail) = algorithm_text(message);
                let expected = format!("the algorithm of a key on {}", key.curve());
                checks.fail(&checks::REALM_ALGORITHM, expected, found, detail);
            }
        }
        Some(published)
    }

    fn check_binding(&self, checks: &mut Checks) {
        let CcaEvidence { token, platform, realm } = &self.evidence;
        let (what, algorithm, content) = match (&token.realm, &realm.public_key) {
            (RealmToken::Unsigned(claims), _) => ("the realm's claims", Some(realm.hash_algorithm), claims),
            (RealmToken::Signed(_), Some(key)) => {
                ("the realm attestation key", realm.public_key_hash_algorithm, key)
            }
            (RealmToken::Signed(_), None) => return,
        };
        let (Some(algorithm), Some(found)) = (algorithm, platform.binding()) else { return };
        let expected = algorithm.digest(content);
        let name = algorithm_name(algorithm);
        if expected.as_bytes() == found {
            checks.pass(&checks::BINDING, format!("{name} of {what}"));
        } else {
            let detail = format!(
                "expected is the {name} of {what}, found is claim {} of the platform token",
                platform.profile.binding.key()
            );
            checks.fail(&checks::BINDING, expected.to_hex(), found.to_claim(), detail);
        }
    }

    fn check_challenges(&self, checks: &mut Checks, binding: &Binding) {
        let CcaEvidence { platform, realm, .. } = &self.evidence;
        checks.report_data(&checks::CHALLENGE, binding, &realm.challenge);
        match (platform.profile.model, &platform.challenge) {
            (Model::HesRak, Some(challenge)) if *challenge == realm.challenge => {
                checks.pass(&checks::PLATFORM_CHALLENGE, challenge.to_claim());
            }
            (Model::HesRak, challenge) => {
                let found = challenge.as_ref().map(TeeClaimText::to_claim).unwrap_or_default();
                checks.fail(&checks::PLATFORM_CHALLENGE, realm.challenge.to_claim(), found, "");
            }
            (Model::Delegated | Model::Direct, _) => {
                checks.not_checked(&checks::PLATFORM_CHALLENGE, "not in this attestation model");
            }
        }
    }
}

/// The algorithm of a message, or why it has none.
fn algorithm_text(message: &Sign1) -> (String, String) {
    match message.algorithm() {
        Ok(algorithm) => (algorithm.to_string(), String::new()),
        Err(error) => ("none that is known".to_owned(), error.to_string()),
    }
}
