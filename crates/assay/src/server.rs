//! Wiring: from settings to a running server.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_access::Authority;
use assay_attestation_service::{
    ATTESTATION_POLICIES, AttestationService, FaceParts, FaceSettings, Faces, KeySettings, PassportSettings,
    PolicySet, RESOURCE_POLICIES, Rate, Registry, TokenKeys, TokenSettings, TrustSettings,
};
use assay_audit::AuditLog;
use assay_collateral::CollateralService;
use assay_key_broker_service::{
    Attestation, KeyBroker, Parts, RemoteAttestation, TrustedIssuer, TrustedIssuerSettings,
};
use assay_policy::PolicyKind;
use assay_reference_values::{CorimSettings, CorimSigner, ProviderParts, ReferenceValues};
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

/// What every part stands on.
pub(crate) struct Foundation {
    pub(crate) operation: Operation,
    pub(crate) store: Store,
    pub(crate) audit: AuditLog,
    pub(crate) authority: Arc<Authority>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the admin key did not exist before.
    pub(crate) made_admin_key: bool,
}

/// An attestation service, and what it fetches for itself.
pub(crate) struct BuiltService {
    pub(crate) service: Arc<AttestationService>,
    /// The reference values of the store; `None` where they are elsewhere.
    pub(crate) values: Option<Arc<ReferenceValues>>,
    pub(crate) collateral: CollateralService,
}

/// Opens the store and reads who may do what. What does not exist yet is made: data directory,
/// key-encryption key, store, admin key.
pub(crate) async fn foundation(settings: &Settings, operation: Operation) -> anyhow::Result<Foundation> {
    let store = crate::store::open(settings, true).await?;
    // All replicas go by the database's clock.
    let clock: Arc<dyn Clock> = store.clock(Arc::new(SystemClock));
    let admin_keys = Arc::new(crate::admin::keys(settings, &store, Arc::clone(&clock)).await?);
    let made_admin_key = admin_keys.made();
    let clients = settings.access.clients.clone();
    let authority = Arc::new(Authority::new(admin_keys, &settings.access.audience, clients)?);
    let process = concat!("assay ", env!("CARGO_PKG_VERSION"), " serve");
    let audit = AuditLog::open(store.clone(), Arc::clone(&clock), settings.audit.settings(), process)
        .await
        .context("the audit log")?;
    Ok(Foundation { operation, store, audit, authority, clock, made_admin_key })
}

/// The attestation service. Its signing key is made where there is none.
pub(crate) async fn attestation_service(
    settings: &Settings,
    foundation: &Foundation,
    followers: &mut Followers,
) -> anyhow::Result<BuiltService> {
    let (store, clock) = (&foundation.store, &foundation.clock);
    let trust = trust(settings)?;
    let (collateral, _) = crate::collateral::service(&settings.collateral, &trust, store, Arc::clone(clock))?;
    let registry = registry(settings, trust, Arc::clone(clock))?;
    let policies = policies(PolicyKind::Attestation, ATTESTATION_POLICIES, foundation).await?;
    let values = crate::rvps::source(settings, store, Arc::clone(clock)).await?;
    let issuer = &settings.token.issuer;
    let keys = TokenKeys::load(store.clone(), key_settings(settings)?, issuer, Arc::clone(clock)).await?;
    let keys = Arc::new(keys);
    followers.policies("attestation policies", &policies);
    followers.token_keys(&keys);
    if let Some(values) = &values.local {
        followers.values(values);
    }
    let token_settings = TokenSettings {
        issuer: issuer.clone(),
        lifetime: settings.token.lifetime_seconds,
        ..TokenSettings::default()
    };
    let service = AttestationService::new(
        registry,
        collateral.clone(),
        policies,
        values.source,
        keys,
        token_settings,
        Arc::clone(clock),
    );
    Ok(BuiltService { service: Arc::new(service), values: values.local, collateral })
}

/// What an interface to reference values needs.
pub(crate) fn provider(
    settings: &Settings,
    foundation: &Foundation,
    values: &ReferenceValues,
) -> ProviderParts {
    ProviderParts {
        values: values.clone(),
        authority: Arc::clone(&foundation.authority),
        audit: foundation.audit.clone(),
        clock: Arc::clone(&foundation.clock),
        deadline: Duration::from_secs(settings.limits.request_seconds),
    }
}

/// The attestation service's own door.
pub(crate) async fn faces(
    settings: &Settings,
    foundation: &Foundation,
    service: &BuiltService,
) -> anyhow::Result<Faces> {
    let door = &settings.attestation_service;
    let defaults = assay_key_broker_service::Settings::default();
    Ok(Faces::new(FaceParts {
        service: Arc::clone(&service.service),
        store: foundation.store.clone(),
        authority: Arc::clone(&foundation.authority),
        audit: foundation.audit.clone(),
        settings: FaceSettings {
            guests: door.guests,
            guest_rate: rate(settings),
            trusted_proxies: trusted_proxies(settings)?,
            passports: PassportSettings {
                challenge_seconds: settings.limits.session_seconds,
                verdict_seconds: defaults.verdict_seconds,
                policies: Vec::new(),
            },
            body_bytes: settings.limits.body_bytes,
            body_timeout: defaults.body_timeout,
            request_timeout: Duration::from_secs(settings.limits.request_seconds),
            public_url: door.public_url.clone(),
            housekeeping_interval: defaults.housekeeping_interval,
        },
        clock: Arc::clone(&foundation.clock),
        beside: match &service.values {
            Some(values) => assay_reference_values::services(provider(settings, foundation, values)),
            None => axum::Router::new(),
        },
        descriptors: match &service.values {
            Some(_) => vec![assay_reference_values::proto::DESCRIPTORS],
            None => Vec::new(),
        },
    })
    .await?)
}

/// The key broker. Evidence is evaluated by `local`, else by the remote service of the settings, else by nobody.
pub(crate) async fn key_broker(
    settings: &Settings,
    foundation: &Foundation,
    local: Option<Arc<AttestationService>>,
    followers: &mut Followers,
) -> anyhow::Result<KeyBroker> {
    let trusted_issuer = trusted_issuer(settings, foundation)?;
    let remote = settings.attestation.remote(settings.danger.plaintext_attestation_service);
    let attestation = match (local, remote, &trusted_issuer) {
        (Some(service), None, _) => Attestation::Local(service),
        (Some(_), Some(_), _) => anyhow::bail!(
            "attestation.address names a remote attestation service, and this process has its own: run `assay serve kbs`, or \
             leave it out"
        ),
        (None, Some(remote), Some(trusted)) => {
            let (trusted, clock) = (Arc::clone(trusted), Arc::clone(&foundation.clock));
            let tees = settings.attestation.tees.clone();
            Attestation::Remote(Arc::new(RemoteAttestation::new(remote, trusted, tees, clock)?))
        }
        (None, None, Some(_)) => Attestation::Elsewhere,
        (None, _, None) => anyhow::bail!(
            "a key broker alone needs attestation.address, the service to ask, or attestation.trusted_keys, whose tokens to \
             believe"
        ),
    };
    let resource_policies = policies(PolicyKind::Resource, RESOURCE_POLICIES, foundation).await?;
    followers.policies("resource policies", &resource_policies);
    let (store, clock) = (&foundation.store, &foundation.clock);
    let vault = crate::secret_backends::vault_client(settings, Arc::clone(clock))?;
    let secrets = crate::secret_backends::secret_backends(settings, store, vault, Arc::clone(clock))?;
    let broker = KeyBroker::new(Parts {
        store: store.clone(),
        secrets,
        attestation,
        trusted_issuer,
        resource_policies,
        authority: Arc::clone(&foundation.authority),
        audit: foundation.audit.clone(),
        settings: broker_settings(settings)?,
        operation: foundation.operation.clone(),
        clock: Arc::clone(&foundation.clock),
    })
    .await?;
    followers.broker(&broker);
    Ok(broker)
}

/// Whose tokens are believed beside our own.
fn trusted_issuer(
    settings: &Settings,
    foundation: &Foundation,
) -> anyhow::Result<Option<Arc<TrustedIssuer>>> {
    let attestation = &settings.attestation;
    if !attestation.trusts() {
        return Ok(None);
    }
    let settings = TrustedIssuerSettings {
        keys: attestation.trusted_keys.clone(),
        ca_certificate: attestation.trusted_keys_ca_certificate.clone(),
        certificates: attestation.trusted_certificates.clone(),
        issuer: attestation.issuer.clone(),
        ..TrustedIssuerSettings::default()
    };
    let issuer = TrustedIssuer::new(settings, Arc::clone(&foundation.clock)).context("attestation")?;
    Ok(Some(Arc::new(issuer)))
}

async fn policies(
    kind: PolicyKind,
    bundled: &[(&str, &str)],
    foundation: &Foundation,
) -> anyhow::Result<Arc<PolicySet>> {
    let (store, clock) = (foundation.store.clone(), Arc::clone(&foundation.clock));
    Ok(Arc::new(PolicySet::load(kind, bundled, store, admission()?, clock).await?))
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

/// How often one client address may attest.
fn rate(settings: &Settings) -> Option<Rate> {
    NonZeroU32::new(settings.limits.attestations_per_minute).map(|per_minute| Rate {
        per_minute,
        burst: NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN),
    })
}

fn trusted_proxies(settings: &Settings) -> anyhow::Result<Vec<IpAddr>> {
    let read = |text: &String| {
        text.parse().with_context(|| format!("server.trusted_proxies: {text:?} is not an address"))
    };
    settings.server.trusted_proxies.iter().map(read).collect()
}

pub(crate) fn broker_settings(settings: &Settings) -> anyhow::Result<assay_key_broker_service::Settings> {
    let rate = rate(settings);
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
        trusted_proxies: trusted_proxies(settings)?,
        public_url: settings.server.public_url.clone(),
        ..assay_key_broker_service::Settings::default()
    })
}
