//! Wiring: from settings to a running server.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_access::Authority;
use assay_attestation_service::{
    ATTESTATION_POLICIES, AttestationService, KeySettings, PolicySet, RESOURCE_POLICIES, Registry, TokenKeys,
    TokenSettings, TrustSettings,
};
use assay_audit::AuditLog;
use assay_collateral::CollateralService;
use assay_key_broker_service::{KeyBroker, Parts, Rate};
use assay_policy::PolicyKind;
use assay_reference_values::{CorimSettings, CorimSigner, ReferenceValues};
use assay_store::Store;
use assay_tee_cca::CcaSettings;
use assay_tee_intel::IntelSettings;
use assay_tee_snp::{CrlPolicy, SnpSettings, VmplPolicy};
use assay_telemetry::Operation;
use assay_token::{Jwk, SigningAlgorithm};
use assay_types::{AnchorsFile, Clock};
use assay_veraison::{VeraisonClient, VeraisonSettings};

use crate::clock::SystemClock;
use crate::commands::policy_offline::admission;
use crate::follow::Followers;
use crate::output;
use crate::settings::{CcaVerifierKind, Settings};

/// The parts of a server that its caller needs.
pub(crate) struct Built {
    pub(crate) broker: KeyBroker,
    /// The reference values of the store; `None` where they are elsewhere.
    pub(crate) values: Option<Arc<ReferenceValues>>,
    /// Who wants to hear of changes by other processes.
    pub(crate) followers: Followers,
    pub(crate) authority: Arc<Authority>,
    pub(crate) store: Store,
    pub(crate) audit: AuditLog,
    pub(crate) collateral: CollateralService,
    /// Whether the admin key did not exist before.
    pub(crate) made_admin_key: bool,
}

/// Opens the store and puts the parts together. What does not exist yet is made: data directory,
/// key-encryption key, store, admin key, signing key.
pub(crate) async fn build(settings: &Settings, operation: &Operation) -> anyhow::Result<Built> {
    let store = crate::store::open(settings, true).await?;
    // All replicas go by the database's clock.
    let clock: Arc<dyn Clock> = store.clock(Arc::new(SystemClock));
    let admin_keys = Arc::new(crate::admin::keys(settings, &store, Arc::clone(&clock)).await?);
    let made_admin_key = admin_keys.made();
    let clients = settings.access.clients.clone();
    let authority = Arc::new(Authority::new(admin_keys, &settings.access.audience, clients)?);

    let trust = trust(settings)?;
    let (collateral, _) =
        crate::collateral::service(&settings.collateral, &trust, &store, Arc::clone(&clock))?;
    let registry = registry(settings, trust, clock.clone())?;
    let policies = Arc::new(
        PolicySet::load(
            PolicyKind::Attestation,
            ATTESTATION_POLICIES,
            store.clone(),
            admission()?,
            clock.clone(),
        )
        .await?,
    );
    let resource_policies = Arc::new(
        PolicySet::load(PolicyKind::Resource, RESOURCE_POLICIES, store.clone(), admission()?, clock.clone())
            .await?,
    );
    let values = crate::rvps::source(settings, &store, clock.clone()).await?;
    let keys = Arc::new(
        TokenKeys::load(store.clone(), key_settings(settings)?, &settings.token.issuer, clock.clone())
            .await?,
    );
    let token_settings = TokenSettings {
        issuer: settings.token.issuer.clone(),
        lifetime: settings.token.lifetime_seconds,
        ..TokenSettings::default()
    };
    let attestation = Arc::new(AttestationService::new(
        registry,
        collateral.clone(),
        Arc::clone(&policies),
        values.source,
        Arc::clone(&keys),
        token_settings,
        clock.clone(),
    ));
    let process = concat!("assay ", env!("CARGO_PKG_VERSION"), " serve");
    let audit = AuditLog::open(store.clone(), clock.clone(), settings.audit.settings(), process)
        .await
        .context("the audit log")?;
    let vault = crate::secret_backends::vault_client(settings, Arc::clone(&clock))?;
    let secrets = crate::secret_backends::secret_backends(settings, &store, vault, Arc::clone(&clock))?;
    let broker = KeyBroker::new(Parts {
        store: store.clone(),
        secrets,
        attestation,
        resource_policies: Arc::clone(&resource_policies),
        authority: Arc::clone(&authority),
        audit: audit.clone(),
        settings: broker_settings(settings)?,
        operation: operation.clone(),
        clock,
    })
    .await?;
    let mut followers = Followers::default();
    followers.policies("attestation policies", &policies);
    followers.policies("resource policies", &resource_policies);
    followers.token_keys(&keys);
    followers.broker(&broker);
    followers.authority(&authority);
    if let Some(values) = &values.local {
        followers.values(values);
    }
    let values = values.local;
    Ok(Built { broker, values, followers, authority, store, audit, collateral, made_admin_key })
}

/// How keys that sign tokens are made.
pub(crate) fn key_settings(settings: &Settings) -> anyhow::Result<KeySettings> {
    Ok(KeySettings {
        algorithm: SigningAlgorithm::from_name(&settings.token.algorithm).context("token.algorithm")?,
        sign_for: settings.token.rotate_days * 86_400,
        publish_after: settings.token.lifetime_seconds + 3600,
    })
}

fn registry(settings: &Settings, trust: TrustSettings, clock: Arc<dyn Clock>) -> anyhow::Result<Registry> {
    let registry = Registry::new(trust)?;
    let cca = &settings.tee.cca;
    let (CcaVerifierKind::Veraison, Some(url)) = (cca.verifier, &cca.veraison_url) else {
        return Ok(registry);
    };
    let pinned_ear_key = match &cca.veraison_ear_key {
        Some(file) => Some(Jwk::from_json(&output::read_text(file)?).context("tee.cca.veraison_ear_key")?),
        None => None,
    };
    let client = VeraisonClient::new(
        VeraisonSettings {
            ca_certificate: cca.veraison_ca_certificate.as_deref().map(output::read).transpose()?,
            deadline: Duration::from_secs(cca.veraison_deadline_seconds),
            pinned_ear_key,
            ..VeraisonSettings::new(url)
        },
        clock,
    )?;
    tracing::info!(url, "Arm CCA tokens are verified by a Veraison service");
    Ok(registry.with_veraison(Arc::new(client)))
}

pub(crate) fn corims(settings: &Settings) -> anyhow::Result<CorimSettings> {
    let signer = |file: &PathBuf| {
        CorimSigner::from_text(&output::read_text(file)?).with_context(|| file.display().to_string())
    };
    Ok(CorimSettings {
        signers: settings.corim.signers.iter().map(signer).collect::<anyhow::Result<_>>()?,
        danger_allow_unsigned: settings.danger.allow_unsigned_corim,
    })
}

/// What is trusted, with a word in the log for each danger.
pub(crate) fn trust(settings: &Settings) -> anyhow::Result<TrustSettings> {
    let emulated_anchors = match &settings.danger.trust_emulator {
        Some(file) => {
            tracing::warn!(
                file = %file.display(),
                "DANGER: the anchors of an emulator are trusted; whoever knows the seed can forge evidence"
            );
            Some(AnchorsFile::from_json(&output::read(file)?)?)
        }
        None => None,
    };
    if settings.danger.allow_sample {
        tracing::warn!("DANGER: evidence of the sample TEE is taken; it proves nothing");
    }
    if settings.danger.allow_unsigned_corim {
        tracing::warn!("DANGER: endorsements that nobody signed are taken from whoever may register them");
    }
    if settings.danger.allow_test_keys {
        tracing::warn!("DANGER: Arm CCA evidence under published keys is taken; anyone can make it");
    }
    Ok(TrustSettings {
        cca: CcaSettings {
            allow_test_keys: settings.danger.allow_test_keys,
            strict_lengths: settings.tee.cca.strict_lengths,
            ..CcaSettings::production()
        },
        intel: IntelSettings {
            update_channel: crate::collateral::channel(&settings.collateral),
            minimum_evaluation_number: settings.tee.intel.minimum_evaluation_number,
            ..IntelSettings::production()
        },
        emulated_anchors,
        allow_sample: settings.danger.allow_sample,
        snp: SnpSettings {
            crl: if settings.snp.require_crl { CrlPolicy::Required } else { CrlPolicy::IfPresent },
            vmpl: VmplPolicy::only(&settings.snp.allowed_vmpl),
            ..SnpSettings::production()
        },
    })
}

pub(crate) fn broker_settings(settings: &Settings) -> anyhow::Result<assay_key_broker_service::Settings> {
    let per_minute = NonZeroU32::new(settings.limits.attestations_per_minute);
    let rate = per_minute.map(|per_minute| Rate {
        per_minute,
        burst: NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN),
    });
    let trusted_proxies = settings
        .server
        .trusted_proxies
        .iter()
        .map(|text| {
            text.parse().with_context(|| format!("server.trusted_proxies: {text:?} is not an address"))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(assay_key_broker_service::Settings {
        session_seconds: settings.limits.session_seconds,
        attestation_api: settings.server.attestation_api,
        challenge_response_seconds: settings.limits.challenge_response_seconds,
        challenge_response_sessions: settings.limits.challenge_response_sessions,
        body_bytes: settings.limits.body_bytes,
        request_timeout: Duration::from_secs(settings.limits.request_seconds),
        connections: settings.limits.connections,
        drain: Duration::from_secs(settings.server.drain_seconds),
        auth_rate: rate,
        attest_rate: rate,
        trusted_proxies,
        public_url: settings.server.public_url.clone(),
        ..assay_key_broker_service::Settings::default()
    })
}
