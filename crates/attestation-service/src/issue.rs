//! Appraisal → token: the EAR (draft-fv-rats-ear) in the form of Trustee, with what makes it
//! auditable added.

use std::collections::BTreeMap;

use assay_policy::{Extension, PolicyError};
use assay_token::{
    Appraised, EarClaims, EarDialect, EarEncoding, EarForm, KeySet, Submodule, TRUSTEE_PROFILE, TokenError,
    VerifierId,
};
use assay_types::{Digest, Outcome, TeeClass, UnixTime};
use aws_lc_rs::rand;
use serde_json::Map;

use crate::appraise::Appraisal;
use crate::error::EvaluationError;
use crate::verdict::{AttesterVerdict, Verdict};

/// The name that Trustee's policies give their extension.
const IDENTIFIERS: &str = "ear.trustee.identifiers";

/// What tokens say beside the appraisal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The issuer, `iss`.
    pub issuer: String,
    /// The longest life of a token, in seconds.
    pub lifetime: i64,
    /// `ear.verifier-id` developer.
    pub developer: String,
    /// `ear.verifier-id` build.
    pub build: String,
}

impl Default for TokenSettings {
    /// `CoCo-Attestation-Service` (the issuer name that existing relying parties expect), five
    /// minutes.
    fn default() -> Self {
        TokenSettings {
            issuer: "CoCo-Attestation-Service".into(),
            lifetime: 300,
            developer: "https://github.com/assay-attestation/assay".into(),
            build: concat!("assay ", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// A token together with its explanation.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The JWT.
    pub token: String,
    /// Its claims.
    pub claims: EarClaims,
    /// Its explanation.
    pub verdict: Verdict,
}

impl Issued {
    /// The digest of the set of reference values: one set for all attesters.
    pub fn reference_values(&self) -> Option<Digest> {
        self.claims.submods.values().find_map(|submod| submod.appraised.reference_values.clone())
    }

    /// The token in another form, signed by the current one of `keys`. The claims are the same; nothing is
    /// evaluated again. A JWT in Trustee's dialect is [`Issued::token`] itself.
    ///
    /// # Errors
    /// As [`Issuer::sign`](assay_token::Issuer::sign) and [`Issuer::sign_cwt`](assay_token::Issuer::sign_cwt).
    pub fn in_form(&self, form: EarForm, keys: &KeySet) -> Result<Vec<u8>, EvaluationError> {
        Ok(match (form.encoding(), form.dialect()) {
            (EarEncoding::Jwt, EarDialect::Trustee2024) => self.token.clone().into_bytes(),
            (EarEncoding::Jwt, dialect) => {
                keys.current().sign(&self.claims.in_dialect(dialect))?.into_bytes()
            }
            (EarEncoding::Cwt, _) => keys.current().sign_cwt(&self.claims)?,
        })
    }
}

/// Signs the appraisals of one evaluation, for the relying party's nonce if there is one. The token
/// ends with the first of: its longest life, the validity of all collateral, the validity of the
/// reference values that were used.
pub(crate) fn issue(
    appraisals: Vec<Appraisal>,
    reference_values: Digest,
    eat_nonce: Option<Vec<u8>>,
    keys: &KeySet,
    settings: &TokenSettings,
    now: UnixTime,
) -> Result<Issued, EvaluationError> {
    let mut expires = now.plus(settings.lifetime);
    let mut counts: BTreeMap<TeeClass, usize> = BTreeMap::new();
    let mut submods = BTreeMap::new();
    let mut attesters = BTreeMap::new();
    for appraisal in appraisals {
        expires = expires.min(appraisal.facts.validity.not_after).min(appraisal.values_until);
        let count = counts.entry(appraisal.facts.class).or_insert(0);
        let name = format!("{}{count}", appraisal.facts.class);
        *count += 1;
        let (submod, verdict) = submodule(appraisal, &reference_values)?;
        submods.insert(name.clone(), submod);
        attesters.insert(name, verdict);
    }
    let jti = token_id(now)?;
    let claims = EarClaims {
        eat_profile: TRUSTEE_PROFILE.to_owned(),
        iat: now,
        nbf: now,
        exp: Some(expires),
        iss: settings.issuer.clone(),
        jti: jti.clone(),
        eat_nonce,
        verifier_id: VerifierId { developer: settings.developer.clone(), build: settings.build.clone() },
        submods,
        extra: Map::new(),
    };
    let token = keys.current().sign(&claims)?;
    let verdict = Verdict {
        jti,
        issued: now,
        expires,
        status: claims.status(),
        emulated: claims.submods.values().any(|submod| submod.appraised.emulated),
        attesters,
    };
    Ok(Issued { token, claims, verdict })
}

fn submodule(
    appraisal: Appraisal,
    reference_values: &Digest,
) -> Result<(Submodule, AttesterVerdict), EvaluationError> {
    let Appraisal {
        facts, evidence, tree, trust_vector, layers, policies, extensions, findings, asked, ..
    } = appraisal;
    let requested: Vec<&str> = policies.iter().map(|policy| policy.requested.as_str()).collect();
    let mut submod = Submodule::new(trust_vector, requested.join(","), tree);
    let policy_id = policies.first().map_or_else(String::new, |policy| policy.id.clone());
    for extension in extensions {
        add_extension(&mut submod, extension)
            .map_err(|error| EvaluationError::Policy { id: policy_id.clone(), error })?;
    }
    submod.appraised = Appraised {
        evidence: Some(evidence.clone()),
        collateral: combined(facts.collateral.iter().map(|item| &item.digest)),
        policy: match policies.as_slice() {
            [one] => Some(one.digest.clone()),
            several => combined(several.iter().map(|policy| &policy.digest)),
        },
        reference_values: Some(reference_values.clone()),
        verifier: concat!("assay ", env!("CARGO_PKG_VERSION")).to_owned(),
        emulated: facts.emulated,
        not_checked: findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::NotChecked)
            .map(|finding| finding.code.to_string())
            .collect(),
        findings: Vec::new(),
    };
    let verdict = AttesterVerdict {
        tee: facts.tee,
        class: facts.class,
        status: trust_vector.status(),
        trust_vector,
        layers,
        policies,
        findings,
        reference_values: asked,
        collateral: facts.collateral,
        evidence,
    };
    Ok((submod, verdict))
}

/// The SHA-384 over the digests' texts, one a line, in their order; `None` where there is none.
fn combined<'a>(digests: impl Iterator<Item = &'a Digest>) -> Option<Digest> {
    let mut text = String::new();
    for digest in digests {
        text.push_str(&format!("{digest}\n"));
    }
    (!text.is_empty()).then(|| Digest::sha384(text.as_bytes()))
}

fn add_extension(submod: &mut Submodule, extension: Extension) -> Result<(), PolicyError> {
    let wrong = |found: &str, expected: &str| PolicyError::WrongShape {
        rule: format!("data.policy.extensions, {:?}", extension.name),
        found: found.to_owned(),
        expected: expected.to_owned(),
    };
    if extension.name == IDENTIFIERS {
        let identifiers =
            extension.value.as_object().cloned().ok_or_else(|| wrong("something else", "an object"))?;
        submod.identifiers.extend(identifiers);
        return Ok(());
    }
    // Names with underscores are those of another dialect (`EarDialect::Ietf`).
    let name = &extension.name;
    if name.starts_with("ear_") || (name.starts_with("ear.") && !name.starts_with("ear.trustee.")) {
        return Err(wrong("a name that the token itself uses", "another name"));
    }
    if submod.extensions.contains_key(&extension.name) {
        return Err(wrong("given twice", "one value for each name"));
    }
    submod.extensions.insert(extension.name, extension.value);
    Ok(())
}

/// Four bytes of the time of issue, then 96 random bits, in hexadecimal: the store's index of
/// verdicts grows at its end only.
fn token_id(now: UnixTime) -> Result<String, EvaluationError> {
    let [_, _, _, _, time @ ..] = now.0.to_be_bytes();
    let mut random = [0_u8; 12];
    rand::fill(&mut random)
        .map_err(|_| EvaluationError::Token(TokenError::Cryptography { operation: "random number" }))?;
    Ok(hex::encode([time.as_slice(), random.as_slice()].concat()))
}
