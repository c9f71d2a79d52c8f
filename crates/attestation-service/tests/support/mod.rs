//! A service on a throw-away store, and emulated guests for it.

#![allow(dead_code)]

pub mod layered;
mod remote;

use std::path::PathBuf;
use std::sync::Arc;

use assay_attestation_service::{
    ATTESTATION_POLICIES, AttestationService, Evaluation, EvaluationError, Issued, KeySettings, PolicySet,
    Registry, TokenKeys, TokenSettings, TrustSettings,
};
use assay_collateral::{Cached, CollateralCache as _, CollateralService, MemoryCache, RecentCache};
use assay_emulator::cca::CorimKind;
use assay_emulator::intel::COLLATERAL_VALIDITY;
use assay_emulator::{Emulator, Seed};
use assay_policy::{Admission, Limits, PolicyKind, TrialProcess};
use assay_reference_values::{CorimSettings, CorimSigner, Protocol, ReferenceValueSource, ReferenceValues};
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use assay_tee_intel::IntelAnchors;
use assay_tee_intel::collateral::{IntelInspector, UpdateChannel, split_collateral};
use assay_types::{
    Clock, CompositeEvidence, FixedClock, HashAlgorithm, InitDataMessage, RuntimeData, Tee, UnixTime, Vendor,
    additional_runtime_data, canonical_digest, primary_runtime_data,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use layered::LayeredVerifier;
use serde_json::{Value, json};

/// Within the validity of the emulator's certificates.
pub const NOW: UnixTime = UnixTime(1_790_000_000);

pub struct World {
    pub service: AttestationService,
    pub emulator: Emulator,
    pub clock: Arc<FixedClock>,
    /// The provider elsewhere.
    pub served: Option<tokio::task::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

/// How the world differs from the ordinary one.
#[derive(Clone, Copy, Default)]
pub struct Options {
    pub trust_emulator: bool,
    pub allow_sample: bool,
    /// An attestation policy that was admitted before: id and text.
    pub stored_policy: Option<(&'static str, &'static str)>,
    /// Whether there is a [`LayeredVerifier`].
    pub layered: bool,
    /// Whether the reference values are at a provider elsewhere.
    pub remote: Option<Protocol>,
}

impl World {
    pub async fn new() -> Self {
        World::with(Options { trust_emulator: true, allow_sample: true, ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let emulator = Emulator::new(Seed::DEVELOPMENT);
        let cache = intel_collateral(&emulator).await;
        let anchors = emulator.anchors();
        let anchors = IntelAnchors::intel().with_emulated(&anchors.anchors[&Tee::Tdx]).unwrap();
        let collateral = |clock: Arc<dyn Clock>| {
            CollateralService::builder(clock.clone())
                .cache(Arc::new(RecentCache::new(cache, clock)))
                .inspector(Vendor::Intel, Arc::new(IntelInspector::new(anchors)))
                .build()
                .unwrap()
        };
        World::with_collateral(options, collateral).await
    }

    /// A world with this source of collateral.
    pub async fn with_collateral(
        options: Options,
        collateral: impl FnOnce(Arc<dyn Clock>) -> CollateralService,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions {
            database: dir.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::load_or_create(&dir.path().join("kek")).unwrap(),
        })
        .await
        .unwrap();
        let clock = Arc::new(FixedClock::new(NOW));
        let shared: Arc<dyn Clock> = clock.clone();
        let emulator = Emulator::new(Seed::DEVELOPMENT);
        let registry = Registry::new(TrustSettings {
            emulated_anchors: options.trust_emulator.then(|| emulator.anchors()),
            allow_sample: options.allow_sample,
            ..TrustSettings::production()
        })
        .unwrap();
        let registry = if options.layered { registry.with(Arc::new(LayeredVerifier)) } else { registry };
        if let Some((id, text)) = options.stored_policy {
            let digest = assay_types::Digest::sha384(text.as_bytes());
            store.put_policy("attestation", id, text, &digest, NOW).await.unwrap();
        }
        // No policy is set from outside in these tests: admission must not be reached.
        let admission = Admission::new(
            TrialProcess { program: PathBuf::from("/nonexistent"), args: Vec::new() },
            Limits::default(),
        );
        let policies = PolicySet::load(
            PolicyKind::Attestation,
            ATTESTATION_POLICIES,
            store.clone(),
            admission,
            shared.clone(),
        )
        .await
        .unwrap();
        let endorser = CorimSigner::key(emulator.cca().corim_signer().public_key());
        let corims = CorimSettings { signers: vec![endorser], danger_allow_unsigned: false };
        let values = ReferenceValues::load_with(store.clone(), shared.clone(), corims).await.unwrap();
        let (values, served): (Arc<dyn ReferenceValueSource>, _) = match options.remote {
            None => (Arc::new(values), None),
            Some(protocol) => {
                let (store, clock) = (store.clone(), shared.clone());
                let (values, served) = remote::remote(values, store, clock, protocol, dir.path()).await;
                (Arc::new(values), Some(served))
            }
        };
        let service = AttestationService::new(
            registry,
            collateral(shared.clone()),
            Arc::new(policies),
            values,
            Arc::new(
                TokenKeys::load(store.clone(), KeySettings::default(), "test", shared.clone()).await.unwrap(),
            ),
            TokenSettings::default(),
            shared,
        );
        World { service, emulator, clock, served, _dir: dir }
    }

    /// Registers reference values.
    pub async fn register(&self, values: Value) {
        self.register_for(values, 365 * 86_400).await;
    }

    /// Registers reference values that end after `seconds`.
    pub async fn register_for(&self, values: Value, seconds: i64) {
        let payload = BASE64_STANDARD.encode(values.to_string());
        let expires = self.clock.now().plus(seconds).to_string();
        let message = json!({ "version": "0.1.0", "type": "sample", "payload": payload, "expires": expires });
        self.service.reference_values().register(message.to_string().as_bytes()).await.unwrap();
    }

    /// Registers what makes the emulator's default SNP guest affirming.
    pub async fn register_good_snp(&self) {
        let claims = self.attest(Guest::snp()).await.unwrap().claims;
        let snp = claims.submods["cpu0"].annotated_evidence["snp"].clone();
        self.register(json!({
            "snp_launch_measurement": [snp["measurement"]],
            "snp_bootloader": [snp["reported_tcb_bootloader"]],
            "snp_microcode": [snp["reported_tcb_microcode"]],
            "snp_snp_svn": [snp["reported_tcb_snp"]],
            "snp_tee_svn": [snp["reported_tcb_tee"]],
        }))
        .await;
    }

    /// Registers what makes the emulator's default realm affirming: three signed CoRIMs.
    pub async fn register_good_cca(&self) {
        let guest = self.emulator.cca_guest(&[], None, &[]).unwrap();
        for kind in [CorimKind::TrustAnchor, CorimKind::Platform, CorimKind::Realm] {
            self.service.reference_values().register_corim(&guest.corim(kind).signed(), None).await.unwrap();
        }
    }

    /// Registers what makes the emulator's default TD and enclave affirming.
    pub async fn register_good_intel(&self) {
        let claims = self.attest(Guest::of(Tee::Tdx)).await.unwrap().claims;
        let tdx = claims.submods["cpu0"].annotated_evidence["tdx"].clone();
        let body = &tdx["quote"]["body"];
        let claims = self.attest(Guest::of(Tee::Sgx)).await.unwrap().claims;
        let sgx = claims.submods["cpu0"].annotated_evidence["sgx"].clone();
        self.register(json!({
            "mr_td": [body["mr_td"]],
            "rtmr_1": [body["rtmr_1"]],
            "rtmr_2": [body["rtmr_2"]],
            "xfam": [body["xfam"]],
            "tdvfkernel": [tdx["boot_components"]["kernel"][0]["digest"]],
            "tdvfkernelparams": [tdx["boot_components"]["kernel_command_line"][0]["digest"]],
            "sgx_mr_enclave": [sgx["body"]["mr_enclave"]],
            "sgx_mr_signer": [sgx["body"]["mr_signer"]],
            "sgx_isv_prod_id": [sgx["sgx_isv_prod_id"]],
            "sgx_minimum_isv_svn": [sgx["sgx_isv_svn"]],
        }))
        .await;
    }

    pub async fn attest(&self, guest: Guest) -> Result<Issued, EvaluationError> {
        self.evaluate(&self.prepare(guest)).await
    }

    pub async fn evaluate(&self, prepared: &Prepared) -> Result<Issued, EvaluationError> {
        self.service
            .evaluate(Evaluation {
                tee: prepared.tee,
                evidence: &prepared.evidence,
                runtime_data: &prepared.runtime_data,
                runtime_data_hash: HashAlgorithm::Sha384,
                init_data: prepared.init_data.as_ref(),
                policy_ids: &prepared.policy_ids,
            })
            .await
    }

    /// What the guest sends.
    pub fn prepare(&self, guest: Guest) -> Prepared {
        let nonce = BASE64_STANDARD.encode([9; 32]);
        let runtime_data = RuntimeData {
            nonce,
            tee_pubkey: json!({ "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": "AA", "y": "BB" }),
        };
        let digest_of = |value: &Value| canonical_digest(value, HashAlgorithm::Sha384).unwrap();
        let additional = match &guest.additional {
            Some(tee) => {
                let digest = digest_of(&additional_runtime_data(&runtime_data));
                let evidence = self.emulator.evidence(*tee, digest.as_bytes(), None, &[]).unwrap();
                json!({ tee.as_str(): evidence }).to_string()
            }
            None => String::new(),
        };
        let digest = digest_of(&primary_runtime_data(&runtime_data, &additional));
        let init_data = guest.init_data.as_ref().map(|text| assay_types::InitData::from_toml(text).unwrap());
        let evidence = self
            .emulator
            .evidence(guest.tee, digest.as_bytes(), init_data.as_ref().map(|d| &d.digest), &guest.set)
            .unwrap();
        Prepared {
            tee: guest.tee,
            evidence: CompositeEvidence {
                primary_evidence: serde_json::value::to_raw_value(&evidence).unwrap(),
                additional_evidence: additional,
            },
            runtime_data: RuntimeData {
                nonce: guest.nonce.unwrap_or(runtime_data.nonce),
                tee_pubkey: runtime_data.tee_pubkey,
            },
            init_data: guest.init_data.map(|body| InitDataMessage {
                format: "toml".into(),
                body: format!("{body}{}", guest.init_data_suffix),
            }),
            policy_ids: guest.policy_ids,
        }
    }
}

/// The collateral of the emulated Intel platform, as a cache holds it.
async fn intel_collateral(emulator: &Emulator) -> Arc<MemoryCache> {
    let cache = Arc::new(MemoryCache::default());
    let silicon = emulator.intel();
    for (tee, guest) in [(Tee::Tdx, silicon.td()), (Tee::Sgx, silicon.enclave())] {
        let file = guest.collateral(COLLATERAL_VALIDITY).to_json(tee).unwrap().to_string();
        for (request, bytes) in split_collateral(file.as_bytes(), UpdateChannel::Standard).unwrap() {
            cache.put(request.vendor, &request.cache_key, Cached::new(bytes, NOW)).await.unwrap();
        }
    }
    cache
}

/// What a guest sends.
pub struct Prepared {
    pub tee: Tee,
    pub evidence: CompositeEvidence,
    pub runtime_data: RuntimeData,
    pub init_data: Option<InitDataMessage>,
    pub policy_ids: Vec<String>,
}

/// A guest that attests.
pub struct Guest {
    pub tee: Tee,
    pub set: Vec<(String, String)>,
    pub init_data: Option<String>,
    /// Added to the init data that are sent, but not to those that are measured.
    pub init_data_suffix: &'static str,
    /// Sent instead of the nonce that is bound.
    pub nonce: Option<String>,
    pub additional: Option<Tee>,
    pub policy_ids: Vec<String>,
}

impl Guest {
    pub fn of(tee: Tee) -> Self {
        Guest {
            tee,
            set: Vec::new(),
            init_data: None,
            init_data_suffix: "",
            nonce: None,
            additional: None,
            policy_ids: Vec::new(),
        }
    }

    pub fn snp() -> Self {
        Guest::of(Tee::Snp)
    }

    pub fn set(mut self, field: &str, value: &str) -> Self {
        self.set.push((field.into(), value.into()));
        self
    }
}
