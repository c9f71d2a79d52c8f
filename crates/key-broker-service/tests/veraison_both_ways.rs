//! The client of Veraison's interface against this service's own side of it, over a socket: what the
//! one writes, the other reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod world;

use assay_access::Role;
use assay_emulator::cca::{Cca, CcaGuest, CorimKind, Wrapper};
use assay_emulator::{CcaSilicon, Seed};
use assay_key_broker_service::serve;
use assay_types::{
    AskedReferenceValue, Authenticated, Binding, Digest, Finding, Lookup, ReferenceValueSnapshot, TrustTier,
    TrustVector, UnixTime, VerifyError,
};
use assay_veraison::{VeraisonClient, VeraisonFailure, VeraisonSettings};
use tokio::net::TcpListener;
use world::{NOW, World, settings};

const SUBMIT: &str = "/endorsement-provisioning/v1/submit";
const CHALLENGE: [u8; 48] = [0x5a; 48];

/// A platform that only its CoRIM vouches for: it is not among the anchors of the emulator that the
/// service trusts.
fn silicon() -> CcaSilicon {
    CcaSilicon::new(Seed::new([0x31; 32]))
}

fn guest(generation: Cca) -> CcaGuest<'static> {
    silicon().guest(generation).realm(|realm| realm.challenge[..48].copy_from_slice(&CHALLENGE))
}

/// A change to the evidence.
type Edit = fn(CcaGuest<'static>) -> CcaGuest<'static>;

/// A service with the endorsements of [`guest`], provisioned by Veraison's interface, and a client of it.
async fn both() -> (World, VeraisonClient) {
    let world = World::with(settings()).await;
    for kind in [CorimKind::PlatformWithKey, CorimKind::Realm] {
        let answer = provision(&world, kind).await;
        assert_eq!(answer["status"], "success", "{answer}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let broker = world.broker.clone();
    tokio::spawn(async move { serve(&broker, listener, None, std::future::pending()).await });
    let client = VeraisonClient::new(VeraisonSettings::new(url), world.clock.clone()).unwrap();
    (world, client)
}

/// Submits a CoRIM of the platform or the realm, signed by the endorser whom the service trusts.
async fn provision(world: &World, kind: CorimKind) -> serde_json::Value {
    let mut corim = guest(Cca::Mixed).corim(kind);
    corim.signer = world.emulator.cca().corim_signer();
    let part = if kind == CorimKind::Realm { "cca_realm" } else { "cca_platform" };
    let media_type = format!(r#"application/rim+cose; profile="tag:arm.com,2025:{part}#1.0.0""#);
    let bearer = format!("Bearer {}", world.admin_token(Role::Admin));
    let headers = [("authorization", bearer.as_str()), ("content-type", &media_type)];
    world.call("POST", SUBMIT, &headers, corim.signed()).await.ok().json()
}

fn binding() -> Binding {
    Binding { report_data: Some(CHALLENGE.to_vec()), init_data: None }
}

async fn genuine(client: &VeraisonClient, guest: CcaGuest<'static>) -> Authenticated {
    let mut all = client.verify(&guest.build().token, &binding()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Our own reference values: there are none, because the service has them.
struct NoValues;

impl ReferenceValueSnapshot for NoValues {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        Lookup::Missing
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"")
    }
}

/// The vectors of platform and realm.
fn vectors(genuine: &Authenticated) -> [TrustVector; 2] {
    let appraisal = genuine.facts().appraiser.as_ref().unwrap().appraise(&NoValues, NOW);
    let names: Vec<&str> = appraisal.layers.iter().map(|layer| layer.submodule.as_str()).collect();
    assert_eq!(names, ["CCA_SSD_PLATFORM", "CCA_REALM"]);
    [appraisal.layers[0].trust_vector, appraisal.layers[1].trust_vector]
}

const PLATFORM: TrustVector = TrustVector {
    instance_identity: 2,
    configuration: 2,
    executables: 2,
    file_system: 0,
    hardware: 2,
    runtime_opaque: 2,
    storage_opaque: 2,
    sourced_data: 0,
};
const REALM: TrustVector = TrustVector {
    instance_identity: 2,
    configuration: 0,
    executables: 2,
    file_system: 0,
    hardware: 0,
    runtime_opaque: 0,
    storage_opaque: 0,
    sourced_data: 0,
};

#[tokio::test]
async fn good_evidence_of_every_generation_is_good_on_the_other_side() {
    let (_world, client) = both().await;
    for generation in Cca::ALL {
        let genuine = genuine(&client, guest(generation)).await;
        assert_eq!(vectors(&genuine), [PLATFORM, REALM], "{generation:?}");
        let facts = genuine.facts();
        assert_eq!(facts.claims["platform"]["cca-platform-lifecycle"], 0x3003);
        assert_eq!(facts.claims["realm"]["cca-realm-hash-algo-id"], "sha-256");
        let challenge = "5a".repeat(48) + &"00".repeat(16);
        assert_eq!(facts.report_data.as_deref(), Some(challenge.as_str()));
        assert_eq!(facts.init_data.as_deref(), Some("00".repeat(64).as_str()));
        assert!(!facts.emulated && genuine.findings().iter().all(|finding| !finding.failed()));
    }
    genuine(&client, guest(Cca::Mixed).wrapper(Wrapper::Eat)).await;
}

#[tokio::test]
async fn that_a_platform_is_emulated_is_known_on_the_other_side() {
    let (_world, client) = both().await;
    // The seed whose anchors the service trusts as an emulator's.
    let emulated = CcaSilicon::new(Seed::DEVELOPMENT)
        .guest(Cca::Mixed)
        .realm(|realm| realm.challenge[..48].copy_from_slice(&CHALLENGE));
    assert!(genuine(&client, emulated).await.facts().emulated);
}

#[tokio::test]
async fn what_differs_from_the_endorsements_comes_out_in_the_vectors_with_a_reason() {
    let (_world, client) = both().await;
    let cases: [(&str, Edit, [TrustVector; 2], &str); 7] = [
        (
            "firmware",
            |g| g.platform(|p| p.components[2].measurement = vec![0x5a; 32]),
            [TrustVector { executables: 33, ..PLATFORM }, REALM],
            "VER-103",
        ),
        (
            "signer id",
            |g| g.platform(|p| p.components[2].signer_id = vec![0x5a; 32]),
            [TrustVector { executables: 33, ..PLATFORM }, REALM],
            "VER-103",
        ),
        (
            "configuration",
            |g| g.platform(|p| p.config[0] ^= 1),
            [TrustVector { configuration: 32, ..PLATFORM }, REALM],
            "VER-102",
        ),
        (
            "lifecycle",
            |g| g.platform(|p| p.lifecycle = 0x5000),
            [
                TrustVector { instance_identity: 96, runtime_opaque: 96, storage_opaque: 96, ..PLATFORM },
                TrustVector { runtime_opaque: 32, ..REALM },
            ],
            "VER-101",
        ),
        (
            "initial measurement",
            |g| g.realm(|r| r.initial_measurement = vec![0x5a; 32]),
            [PLATFORM, TrustVector { executables: 33, ..REALM }],
            "VER-103",
        ),
        (
            "extensible measurement",
            |g| g.realm(|r| r.extensible_measurements[1] = vec![0x5a; 32]),
            [PLATFORM, TrustVector { executables: 33, ..REALM }],
            "VER-103",
        ),
        (
            "personalization value",
            |g| g.realm(|r| r.personalization_value[0] = 0x5a),
            [PLATFORM, TrustVector { executables: 96, ..REALM }],
            "VER-103",
        ),
    ];
    for (name, edit, expected, code) in cases {
        let genuine = genuine(&client, edit(guest(Cca::Mixed))).await;
        assert_eq!(vectors(&genuine), expected, "{name}");
        let appraisal = genuine.facts().appraiser.as_ref().unwrap().appraise(&NoValues, NOW);
        let explained = |finding: &Finding| finding.failed() && finding.code == code;
        assert!(appraisal.findings.iter().any(|reason| explained(&reason.finding)), "{name}");
        assert!(appraisal.combined().status() > TrustTier::Affirming, "{name}");
    }
}

#[tokio::test]
async fn evidence_that_does_not_hold_is_refused_with_the_reason_of_the_other_side() {
    let (_world, client) = both().await;
    let stranger = || CcaSilicon::new(Seed::new([0x32; 32]));
    let cases: Vec<(&str, CcaGuest<'static>, &str)> = vec![
        ("another platform", stranger().guest(Cca::Mixed).realm(|r| r.challenge[..48].fill(0x5a)), "CCA-011"),
        ("signature of the platform", guest(Cca::Mixed).break_platform_signature(), "CCA-014"),
        ("signature of the realm", guest(Cca::Mixed).break_realm_signature(), "CCA-018"),
        ("splice", guest(Cca::Mixed).splice(&stranger()), "CCA-020"),
        ("replay", guest(Cca::Mixed).realm(|r| r.challenge[0] ^= 1), "CCA-021"),
        (
            "REMs that are no array",
            guest(Cca::Mixed).realm_members(|m| m.set(44239, vec![0_u8; 32])),
            "CCA-010",
        ),
        ("no token", guest(Cca::Mixed).token_bytes(|bytes| bytes.truncate(500)), "CCA-002"),
    ];
    for (name, guest, code) in cases {
        let error = match client.verify(&guest.build().token, &binding()).await {
            Err(VeraisonFailure::Evidence(error)) => error,
            other => panic!("{name}: {other:?}"),
        };
        assert!(matches!(error, VerifyError::Rejected(_)), "{name}: {error}");
        let failed: Vec<&Finding> = error.failures().collect();
        assert_eq!(failed.len(), 1, "{name}: {error}");
        assert_eq!(failed[0].code, "VER-010", "{name}");
        assert!(failed[0].detail.contains(code), "{name}: {}", failed[0].detail);
    }
}

#[tokio::test]
async fn an_endorsement_that_ends_counts_no_more_on_the_other_side() {
    let (world, client) = both().await;
    assert_eq!(vectors(&genuine(&client, guest(Cca::Mixed)).await), [PLATFORM, REALM]);
    let list = world.administer(Role::Admin, "GET", "/kbs/v0/reference-value", "").await.ok().json();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|value| value["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    let realm = ids.iter().find(|id| id.starts_with("cca/realm/")).unwrap();
    let path = format!("/kbs/v0/reference-value/{}", realm.replace('#', "%23"));
    world.administer(Role::Admin, "DELETE", &path, "").await.ok();
    let now = vectors(&genuine(&client, guest(Cca::Mixed)).await);
    assert_eq!(now, [PLATFORM, TrustVector { executables: 33, ..REALM }]);
}
