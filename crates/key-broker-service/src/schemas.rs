//! The messages of the administration interface, and the schemas of all messages for the OpenAPI
//! document. Where a message is another crate's type, the schema here is a copy of its members. The
//! two cannot drift apart: every answer in the integration tests is held against the document.

use std::collections::BTreeMap;

use assay_secret_backends::SecretInfo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A resource in a listing; never its content.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ResourceListing {
    /// `<repository>/<type>/<tag>`.
    path: String,
    /// The number of the newest version. Not there where the back end does not tell it, as the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// How many versions are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<u64>,
    /// When the newest version was stored, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// The length of the newest version in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl From<SecretInfo> for ResourceListing {
    fn from(info: SecretInfo) -> Self {
        ResourceListing {
            path: info.path.to_string(),
            version: info.version,
            versions: info.versions,
            created: info.created.map(|created| created.to_string()),
            size: info.size,
        }
    }
}

/// Sets a resource policy.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SetResourcePolicy {
    /// The Rego text in base64url without padding.
    pub(crate) policy: String,
    /// A prefix of resource paths by whole segments (`tenant-a`, `tenant-a/keys`); `resource-policy`,
    /// the policy of all other paths, when absent.
    pub(crate) policy_id: Option<String>,
}

/// Sets an attestation policy.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SetAttestationPolicy {
    /// `rego`; may be left out.
    #[serde(rename = "type")]
    pub(crate) policy_type: Option<String>,
    /// `<id>_<class>`, such as `default_cpu`.
    pub(crate) policy_id: String,
    /// The Rego text in base64url without padding.
    pub(crate) policy: String,
}

/// A reference value in a listing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReferenceValueRecord {
    /// Its name.
    id: String,
    /// Its value, any JSON.
    value: Value,
    /// Its version, from 1.
    version: u64,
    /// When this version was registered, RFC 3339.
    registered: String,
    /// When it ends, RFC 3339.
    expires: String,
    /// Whether it has ended; policies do not find it then.
    expired: bool,
    /// The type of the message it came with.
    source: String,
}

impl From<assay_reference_values::Record> for ReferenceValueRecord {
    fn from(record: assay_reference_values::Record) -> Self {
        ReferenceValueRecord {
            id: record.id,
            value: record.value,
            version: record.version,
            registered: record.registered.to_string(),
            expires: record.expires.to_string(),
            expired: record.expired,
            source: record.source,
        }
    }
}

/// One version of a reference value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReferenceValueVersion {
    /// The version, from 1.
    version: u64,
    /// The value; null for a deletion.
    value: Option<Value>,
    /// Whether this version is a deletion.
    deleted: bool,
    /// When it was registered or deleted, RFC 3339.
    registered: String,
    /// When it ends, RFC 3339.
    expires: String,
    /// The type of the message it came with; empty for a deletion.
    source: String,
}

impl From<assay_store::ReferenceValueVersion> for ReferenceValueVersion {
    fn from(version: assay_store::ReferenceValueVersion) -> Self {
        ReferenceValueVersion {
            version: version.version,
            deleted: version.value.is_none(),
            value: version.value,
            registered: version.registered.to_string(),
            expires: version.expires.to_string(),
            source: version.source,
        }
    }
}

/// Whether the service can serve.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`.
    pub(crate) status: String,
}

/// Where the keys are (OpenID Connect Discovery 1.0, 3).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Discovery {
    /// `iss` of the tokens.
    pub(crate) issuer: String,
    /// The address of the keys.
    pub(crate) jwks_uri: String,
    /// `none`: nobody logs in here.
    pub(crate) response_types_supported: Vec<String>,
    /// `public`.
    pub(crate) subject_types_supported: Vec<String>,
    /// The algorithms of the tokens.
    pub(crate) id_token_signing_alg_values_supported: Vec<String>,
}

/// The messages of other crates, member by member.
#[expect(dead_code, reason = "they stand for their schema only")]
pub(crate) mod copies {
    use super::{BTreeMap, ToSchema, Value};

    /// Records of the audit log.
    #[derive(ToSchema)]
    pub(crate) struct AuditRecords {
        /// The records, the newest first; their form stands in docs/audit.md.
        records: Vec<BTreeMap<String, Value>>,
        /// How many could not be read: altered, or of a newer program.
        unreadable: u64,
    }

    /// Asks for a challenge.
    #[derive(ToSchema)]
    pub(crate) struct Request {
        /// The protocol version, `0.4.0`.
        version: String,
        /// The TEE: `snp`, `sample`, …
        tee: String,
        /// Any JSON.
        #[schema(rename = "extra-params")]
        extra_params: Value,
    }

    /// A challenge.
    #[derive(ToSchema)]
    pub(crate) struct Challenge {
        /// 32 random bytes in standard base64.
        nonce: String,
        /// `""`.
        #[schema(rename = "extra-params")]
        extra_params: Value,
    }

    /// Evidence for a challenge.
    #[derive(ToSchema)]
    pub(crate) struct Attestation {
        /// The init data, when the guest has any.
        #[schema(rename = "init-data")]
        init_data: Option<InitData>,
        /// What the report data are the digest of.
        #[schema(rename = "runtime-data")]
        runtime_data: RuntimeData,
        /// The evidence.
        #[schema(rename = "tee-evidence")]
        tee_evidence: CompositeEvidence,
    }

    /// Init data in clear.
    #[derive(ToSchema)]
    pub(crate) struct InitData {
        /// `toml`.
        format: String,
        /// The text; its digest is over exactly these bytes.
        body: String,
    }

    /// Nonce and key of an attestation.
    #[derive(ToSchema)]
    pub(crate) struct RuntimeData {
        /// The challenge's nonce.
        nonce: String,
        /// The guest's public key (JWK).
        #[schema(rename = "tee-pubkey")]
        tee_pubkey: Value,
    }

    /// The evidence of CPU and devices.
    #[derive(ToSchema)]
    pub(crate) struct CompositeEvidence {
        /// The CPU's, in the TEE's own form.
        primary_evidence: Value,
        /// Empty, or the JSON text of an object of evidence by TEE.
        additional_evidence: String,
    }

    /// An attestation result.
    #[derive(ToSchema)]
    pub(crate) struct AttestationAnswer {
        /// The token, a JWT (EAR).
        token: String,
    }

    /// A resource for one guest: flattened JWE (RFC 7516, 7.2.2), base64url without padding.
    #[derive(ToSchema)]
    pub(crate) struct Response {
        /// The protected header.
        protected: String,
        /// The wrapped content key.
        encrypted_key: String,
        /// 12 bytes.
        iv: String,
        /// The encrypted resource.
        ciphertext: String,
        /// 16 bytes.
        tag: String,
    }

    /// Every error: RFC 9457, and what Trustee's clients read.
    #[derive(ToSchema)]
    pub(crate) struct Problem {
        /// `https://github.com/confidential-containers/kbs/errors/<Variant>`.
        #[schema(rename = "type")]
        error_type: String,
        /// The status in words.
        title: String,
        /// The status.
        status: u16,
        /// What went wrong.
        detail: String,
        /// The stable code of the error.
        code: String,
        /// Stands in the log too.
        #[schema(rename = "request-id")]
        request_id: String,
        /// The checks behind the error, the failed ones first.
        findings: Option<Vec<Finding>>,
        /// With `/readyz`: what is not there.
        failing: Option<Vec<Unready>>,
    }

    /// Something that the service needs and that is not there.
    #[derive(ToSchema)]
    pub(crate) struct Unready {
        /// Its name.
        name: String,
        /// The code of its error.
        code: String,
        /// What is the matter.
        reason: String,
    }

    /// The outcome of one check.
    #[derive(ToSchema)]
    pub(crate) struct Finding {
        /// The check's stable code.
        code: String,
        /// The check in a few words.
        check: String,
        /// `passed`, `failed` or `not-checked`.
        outcome: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
        /// The reason in words.
        detail: String,
        /// What to do about it; absent when the check passed.
        remedy: Option<String>,
    }

    /// The explanation of a token.
    #[derive(ToSchema)]
    pub(crate) struct Verdict {
        /// The token's `jti`.
        jti: String,
        /// When it was issued, in seconds since 1970.
        issued: i64,
        /// When it ends, in seconds since 1970.
        expires: i64,
        /// The worst status: `affirming`, `warning`, `contraindicated` or `none`.
        status: String,
        /// Whether it rests on an emulator.
        emulated: bool,
        /// By submodule (`cpu0`).
        attesters: BTreeMap<String, AttesterVerdict>,
    }

    /// The explanation of one attester's part.
    #[derive(ToSchema)]
    pub(crate) struct AttesterVerdict {
        /// The TEE.
        tee: String,
        /// Its class.
        class: String,
        /// Its status.
        status: String,
        /// The AR4SI trustworthiness claims.
        trust_vector: BTreeMap<String, i8>,
        /// The appraisal of each layer against endorsed reference values, the lowest layer first.
        layers: Option<Vec<LayerAppraisal>>,
        /// The policies that judged.
        policies: Vec<AppliedPolicy>,
        /// The checks of verification and appraisal.
        findings: Vec<Finding>,
        /// The reference values that were asked for, with the answers.
        reference_values: Vec<Value>,
        /// The collateral that was used.
        collateral: Vec<Value>,
        /// The digest of the evidence.
        evidence: String,
    }

    /// One layer's appraisal.
    #[derive(ToSchema)]
    pub(crate) struct LayerAppraisal {
        /// Its name: `platform`, `realm`.
        layer: String,
        /// Its name in Veraison's attestation results.
        submodule: String,
        /// The AR4SI trustworthiness claims.
        trust_vector: BTreeMap<String, i8>,
    }

    /// One policy's part.
    #[derive(ToSchema)]
    pub(crate) struct AppliedPolicy {
        /// As requested.
        requested: String,
        /// As stored.
        id: String,
        /// Its version; 0 for a bundled one.
        version: u64,
        /// The digest of its text.
        digest: String,
        /// What it said.
        trust_vector: BTreeMap<String, i8>,
    }

    /// A policy in a listing.
    #[derive(ToSchema)]
    pub(crate) struct PolicyListing {
        /// Its id.
        #[schema(rename = "policy-id")]
        policy_id: String,
        /// Its version; 0 for a bundled one.
        version: u64,
        /// The digest of its text.
        digest: String,
        /// When it was set, RFC 3339; absent for a bundled one.
        created: Option<String>,
        /// Whether the program brings it.
        bundled: bool,
    }

    /// Registers reference values.
    #[derive(ToSchema)]
    pub(crate) struct ReferenceValueMessage {
        /// `0.1.0`.
        version: Option<String>,
        /// `sample`.
        #[schema(rename = "type")]
        message_type: String,
        /// Standard base64 of a JSON object: value by name.
        payload: String,
        /// When the values end, RFC 3339; twelve months from now when absent.
        expires: Option<String>,
    }

    /// Public keys (RFC 7517, 5).
    #[derive(ToSchema)]
    pub(crate) struct JsonWebKeySet {
        /// The keys.
        keys: Vec<Value>,
    }
}
