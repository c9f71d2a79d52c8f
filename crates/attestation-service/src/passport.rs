//! The passport model of RFC 9334: a challenge for a guest, and a token that it shows to others.
//!
//! Nothing is stored for a challenge: it is sealed as RCAR's cookie is, for a purpose of its own, and comes
//! back as the nonce in the runtime data. The store takes each challenge once.

use std::sync::Arc;

use assay_store::{Store, StoreError};
use assay_types::{Clock, Coded, Digest, Fault, Tee};
use serde_json::Value;

use crate::AttestationService;
use crate::challenge::{Challenge, ChallengeError, ChallengeSealer, Purpose};
use crate::error::EvaluationError;
use crate::issue::Issued;
use crate::messages::{AttestationRequest, FormError, RuntimeDataInput, VerificationRequest};
use crate::record::record;
use crate::service::{DEFAULT_POLICY_ID, MAX_POLICY_IDS};
use crate::structured::{BoundRuntimeData, EvidenceRequest};

/// How passports are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassportSettings {
    /// How long a challenge is valid, in seconds.
    pub challenge_seconds: i64,
    /// How long a verdict is kept after token and challenge have ended, in seconds.
    pub verdict_seconds: i64,
    /// The policies that always judge, without class; `default` when empty.
    pub policies: Vec<String>,
}

/// Gives passports.
pub struct Passports {
    service: Arc<AttestationService>,
    store: Store,
    sealer: Arc<ChallengeSealer>,
    settings: PassportSettings,
    clock: Arc<dyn Clock>,
}

/// Evidence with a challenge that is ours and valid.
pub struct Opened {
    challenge: Challenge,
    evidence: EvidenceRequest,
    policy_ids: Vec<String>,
}

/// Why there is no passport.
#[derive(Debug, thiserror::Error)]
pub enum PassportError {
    /// The request's form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The TEE exists, but its evidence is not taken here.
    #[error("evidence of {tee} is not taken here; taken are {taken}")]
    TeeNotTaken {
        /// The TEE.
        tee: Tee,
        /// The TEEs whose evidence is taken, separated by commas.
        taken: String,
    },
    /// Not exactly one piece of evidence.
    #[error("{found} verification_requests; exactly one is taken, that of the CPU")]
    VerificationRequests {
        /// How many there are.
        found: usize,
    },
    /// Runtime data that a token cannot rest on.
    #[error(
        "no token can rest on these runtime_data: {why}; needed is \"structured\", an object with the challenge as \
         nonce and the guest's public key as tee-pubkey"
    )]
    RuntimeData {
        /// What is wrong with them.
        why: &'static str,
    },
    /// The nonce is no challenge that counts.
    #[error(
        "the nonce in runtime_data is not a valid challenge of this service: {0}; ask for one at /challenge"
    )]
    Challenge(ChallengeError),
    /// The challenge gave its one token already.
    #[error("this challenge gave its token already: ask for a new one at /challenge")]
    Used,
    /// Evidence of another TEE than the challenge's.
    #[error("the challenge was asked for {challenged}, and this is evidence of {found}")]
    OtherTee {
        /// The challenge's.
        challenged: Tee,
        /// The evidence's.
        found: Tee,
    },
    /// There is no token for this evidence.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for PassportError {
    fn code(&self) -> &'static str {
        match self {
            PassportError::Form(error) => error.code(),
            PassportError::TeeNotTaken { .. } => "AS-004",
            PassportError::VerificationRequests { .. } => "AS-050",
            PassportError::RuntimeData { .. } => "AS-051",
            PassportError::Challenge(error) => error.code(),
            PassportError::Used => "AS-052",
            PassportError::OtherTee { .. } => "AS-053",
            PassportError::Evaluation(error) => error.code(),
            PassportError::Store(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            PassportError::Form(error) => error.fault(),
            PassportError::TeeNotTaken { .. }
            | PassportError::VerificationRequests { .. }
            | PassportError::RuntimeData { .. }
            | PassportError::OtherTee { .. } => Fault::Unprocessable,
            PassportError::Challenge(error) => error.fault(),
            PassportError::Used => Fault::Unauthenticated,
            PassportError::Evaluation(error) => error.fault(),
            PassportError::Store(error) => error.fault(),
        }
    }
}

impl Passports {
    /// Puts the parts together.
    pub fn new(
        service: Arc<AttestationService>,
        store: Store,
        sealer: Arc<ChallengeSealer>,
        settings: PassportSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Passports { service, store, sealer, settings, clock }
    }

    /// A challenge for a guest of the TEE of that name.
    ///
    /// # Errors
    /// [`PassportError`], when the TEE is unknown or its evidence not taken.
    pub fn challenge(&self, tee: &str) -> Result<String, PassportError> {
        let tee: Tee = tee.parse().map_err(FormError::from)?;
        self.service.check_taken(tee)?;
        let challenge = Challenge::new(tee, self.clock.now(), self.settings.challenge_seconds)
            .map_err(PassportError::Challenge)?;
        self.sealer.seal_for(Purpose::Passport, &challenge).map_err(PassportError::Challenge)
    }

    /// The challenge in a request of a guest, which is held against the request. Nothing is evaluated yet.
    ///
    /// # Errors
    /// [`PassportError`].
    pub async fn open(&self, request: AttestationRequest) -> Result<Opened, PassportError> {
        let AttestationRequest { verification_requests, policy_ids } = request;
        if policy_ids.len() > MAX_POLICY_IDS {
            // Before anything is done with them: a body holds very many.
            return Err(EvaluationError::TooManyPolicies { found: policy_ids.len() }.into());
        }
        let found = verification_requests.len();
        let [request] = <[VerificationRequest; 1]>::try_from(verification_requests)
            .map_err(|_| PassportError::VerificationRequests { found })?;
        let nonce = fresh(request.runtime_data.as_ref())?;
        let opened = self.sealer.open_for(Purpose::Passport, nonce, self.clock.now()).await;
        let challenge = opened.map_err(PassportError::Challenge)?;
        let policy_ids = policies(&self.settings.policies, &policy_ids);
        let evidence = EvidenceRequest::try_from(&request)?;
        let (challenged, found) = (challenge.tee(), evidence.evidence.tee);
        if found != challenged {
            return Err(PassportError::OtherTee { challenged, found });
        }
        Ok(Opened { challenge, evidence, policy_ids })
    }

    /// The token. Any number of attempts may be made for a challenge, also at once; one gets its token.
    ///
    /// # Errors
    /// [`PassportError`].
    pub async fn redeem(&self, opened: Opened) -> Result<Issued, PassportError> {
        let Opened { challenge, evidence, policy_ids } = opened;
        let issued = self.service.evaluate_requests(&[evidence], &policy_ids).await?;
        self.used_up(challenge, issued).await
    }

    /// A token for a caller who is trusted to ask for evaluations, such as a key broker, and who has
    /// looked at the freshness itself. A challenge of this service counts once here too: evidence whose
    /// first runtime data name one uses it up.
    ///
    /// # Errors
    /// [`PassportError`].
    pub async fn evaluate(
        &self,
        requests: &[EvidenceRequest],
        policy_ids: &[String],
    ) -> Result<Issued, PassportError> {
        let challenge = self.own_challenge(requests.first()).await?;
        let issued = self.service.evaluate_requests(requests, policy_ids).await?;
        match challenge {
            Some(challenge) => self.used_up(challenge, issued).await,
            None => Ok(issued),
        }
    }

    /// The challenge of this service that the evidence names, if it names one.
    async fn own_challenge(
        &self,
        request: Option<&EvidenceRequest>,
    ) -> Result<Option<Challenge>, PassportError> {
        let Some(EvidenceRequest { runtime_data: Some(BoundRuntimeData::Structured(all)), evidence, .. }) =
            request
        else {
            return Ok(None);
        };
        let Some(nonce) = all.get("nonce").and_then(Value::as_str) else { return Ok(None) };
        match self.sealer.open_for(Purpose::Passport, nonce, self.clock.now()).await {
            Ok(challenge) if challenge.tee() == evidence.tee => Ok(Some(challenge)),
            Ok(challenge) => {
                Err(PassportError::OtherTee { challenged: challenge.tee(), found: evidence.tee })
            }
            // The caller's own.
            Err(ChallengeError::Forged { .. } | ChallengeError::Foreign) => Ok(None),
            Err(error) => Err(PassportError::Challenge(error)),
        }
    }

    async fn used_up(&self, challenge: Challenge, issued: Issued) -> Result<Issued, PassportError> {
        let seconds = self.settings.verdict_seconds;
        match record(&self.store, &challenge, issued.token.clone(), &issued.verdict, seconds).await {
            Ok(()) => Ok(issued),
            Err(StoreError::AlreadyUsed) => Err(PassportError::Used),
            Err(error) => Err(error.into()),
        }
    }
}

impl Opened {
    /// The TEE of challenge and evidence.
    pub fn tee(&self) -> Tee {
        self.challenge.tee()
    }

    /// The digest of the evidence.
    pub fn evidence(&self) -> Digest {
        self.evidence.evidence.digest()
    }
}

impl AttestationService {
    /// Whether evidence of `tee` is taken.
    ///
    /// # Errors
    /// [`PassportError::TeeNotTaken`].
    fn check_taken(&self, tee: Tee) -> Result<(), PassportError> {
        if self.tees().any(|taken| taken == tee) {
            return Ok(());
        }
        let taken: Vec<&str> = self.tees().map(Tee::as_str).collect();
        Err(PassportError::TeeNotTaken { tee, taken: taken.join(", ") })
    }
}

/// The nonce of runtime data that a token may rest on. Without a nonce it could rest on evidence of long ago,
/// without a key it would be anybody's.
fn fresh(input: Option<&RuntimeDataInput>) -> Result<&str, PassportError> {
    let refused = |why| Err(PassportError::RuntimeData { why });
    let all = match input {
        Some(RuntimeDataInput::Structured(all)) => all,
        Some(RuntimeDataInput::Raw(_)) => return refused("raw runtime data name no challenge and no key"),
        None => return refused("there are none"),
    };
    let Some(nonce) = all.get("nonce").and_then(Value::as_str) else {
        return refused("they have no nonce");
    };
    if !all.get("tee-pubkey").is_some_and(Value::is_object) {
        return refused("they have no tee-pubkey, a JWK");
    }
    // Named evidence that nobody verifies would look as if somebody had.
    if all.get("additional-evidence").is_some_and(|text| text.as_str() != Some("")) {
        return refused("they name additional evidence, and evidence of devices is not taken here");
    }
    Ok(nonce)
}

/// The policies of the settings, and those asked for. The former always judge: the token opens secrets,
/// and a guest could else choose a policy that was made for others. The worst result counts, so what a
/// guest adds can only be stricter.
fn policies(settings: &[String], asked_for: &[String]) -> Vec<String> {
    let default = [DEFAULT_POLICY_ID.to_owned()];
    let ours = if settings.is_empty() { &default } else { settings };
    let mut all = ours.to_vec();
    for id in asked_for {
        if !all.contains(id) {
            all.push(id.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_policies_always_judge() {
        let ids = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(policies(&[], &[]), ids(&["default"]));
        assert_eq!(policies(&[], &ids(&["strict", "default", "strict"])), ids(&["default", "strict"]));
        assert_eq!(policies(&ids(&["a", "b"]), &ids(&["b", "c"])), ids(&["a", "b", "c"]));
    }
}
