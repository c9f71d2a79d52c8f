//! TDX and SGX through the whole pipeline, with the default policy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod support;

use assay_attestation_service::EvaluationError;
use assay_emulator::intel::COLLATERAL_VALIDITY;
use assay_types::{Coded as _, Fault, Tee, TrustTier, VerifyError};
use serde_json::json;
use support::{Guest, World};

async fn world() -> World {
    let world = World::new().await;
    world.register_good_intel().await;
    world
}

/// The codes of the failed findings of the verdict on a guest, its status, and its trust vector.
async fn verdict(world: &World, guest: Guest) -> (TrustTier, Vec<String>) {
    let issued = world.attest(guest).await.unwrap_or_else(|error| panic!("{error}"));
    let findings = &issued.verdict.attesters["cpu0"].findings;
    let codes = findings.iter().filter(|f| f.failed()).map(|f| f.code.to_string()).collect();
    (issued.verdict.status, codes)
}

/// The codes for which evidence was not accepted.
async fn rejected(world: &World, guest: Guest) -> Vec<String> {
    match world.attest(guest).await {
        Err(EvaluationError::Evidence { error: VerifyError::Rejected(findings), .. }) => {
            findings.iter().filter(|f| f.failed()).map(|f| f.code.to_string()).collect()
        }
        other => panic!("{:?}", other.map(|issued| issued.verdict.status)),
    }
}

#[tokio::test]
async fn wanted_guests_are_affirming_and_name_their_collateral() {
    let world = world().await;
    for guest in [
        Guest::of(Tee::Tdx),
        Guest::of(Tee::Tdx).set("event_log", "none"),
        Guest::of(Tee::Tdx).set("quote_version", "5"),
        Guest::of(Tee::Tdx).set("quote_version", "5").set("body", "1.5"),
        Guest::of(Tee::Sgx),
    ] {
        let tee = guest.tee;
        let issued = world.attest(guest).await.unwrap();
        let attester = &issued.verdict.attesters["cpu0"];
        let failed: Vec<_> = attester.findings.iter().filter(|f| f.failed()).collect();
        assert_eq!(issued.verdict.status, TrustTier::Affirming, "{tee}: {failed:#?}");
        let names: Vec<&str> = attester.collateral.iter().map(|used| used.name.as_str()).collect();
        for part in ["Root", "PCK", "TCB info", "identity", "revocation list"] {
            assert!(names.iter().any(|name| name.contains(part)), "{tee}: no {part} in {names:#?}");
        }
    }
}

#[tokio::test]
async fn without_reference_values_nothing_is_affirming() {
    let world = World::new().await;
    for tee in [Tee::Tdx, Tee::Sgx] {
        let (status, codes) = verdict(&world, Guest::of(tee)).await;
        assert_ne!(status, TrustTier::Affirming, "{tee}");
        assert!(!codes.is_empty());
    }
}

#[tokio::test]
async fn each_thing_that_is_not_wanted_is_told() {
    let world = world().await;
    let other = "5a".repeat(48);
    for (guest, status, code) in [
        (Guest::of(Tee::Tdx).set("td_attributes.debug", "true"), TrustTier::Contraindicated, "APR-TDX-017"),
        (Guest::of(Tee::Tdx).set("tcb", "out-of-date"), TrustTier::Contraindicated, "APR-TDX-013"),
        (Guest::of(Tee::Tdx).set("mr_td", &other), TrustTier::Contraindicated, "APR-TDX-001"),
        (
            Guest::of(Tee::Tdx).set("rtmr_1", &other).set("event_log", "none"),
            TrustTier::Warning,
            "APR-TDX-002",
        ),
        (Guest::of(Tee::Sgx).set("attributes.debug", "true"), TrustTier::Contraindicated, "APR-SGX"),
        (Guest::of(Tee::Sgx).set("tcb", "out-of-date"), TrustTier::Contraindicated, "APR-SGX"),
        (Guest::of(Tee::Sgx).set("mr_enclave", &"5a".repeat(32)), TrustTier::Warning, "APR-SGX"),
    ] {
        let set = guest.set.clone();
        let (found, codes) = verdict(&world, guest).await;
        assert!(found >= status, "{set:?}: {found:?} {codes:?}");
        assert!(codes.iter().any(|c| c.starts_with(code)), "{set:?}: {codes:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_believed_is_rejected() {
    let world = world().await;
    for (guest, code) in [
        (Guest::of(Tee::Tdx).set("event_log", "tampered"), "TDX-004"),
        (Guest::of(Tee::Tdx).set("rtmr_1", &"5a".repeat(48)), "TDX-004"),
        (Guest::of(Tee::Tdx).set("tcb", "revoked"), "INTEL-071"),
        (Guest::of(Tee::Sgx).set("tcb", "revoked"), "INTEL-071"),
    ] {
        let set = guest.set.clone();
        assert_eq!(rejected(&world, guest).await, [code], "{set:?}");
    }
    let mut guest = Guest::of(Tee::Tdx).set("mr_config_id", &"5a".repeat(48));
    guest.init_data = Some("version = \"0.1.0\"\nalgorithm = \"sha384\"\n[data]\n".into());
    assert_eq!(rejected(&world, guest).await, ["INTEL-008"]);
}

#[tokio::test]
async fn an_event_that_no_register_proves_does_not_stand_among_those_that_are_proven() {
    let world = world().await;
    let issued = world.attest(Guest::of(Tee::Tdx).set("event_log", "unbound")).await.unwrap();
    let tdx = &issued.claims.submods["cpu0"].annotated_evidence["tdx"];
    let unbound = tdx["unbound_event_logs"].as_array().unwrap();
    assert!(
        unbound.iter().any(|event| event["reason"].is_string() && event["index"] != json!(1)),
        "{unbound:#?}"
    );
    let indices =
        tdx["uefi_event_logs"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap());
    assert!(indices.into_iter().all(|index| (1..=4).contains(&index)));
}

#[tokio::test]
async fn a_token_does_not_outlive_the_collateral_and_then_the_vendor_is_missed() {
    let world = world().await;
    let end = COLLATERAL_VALIDITY.not_after;
    world.clock.set(end.plus(-60));
    // The reference values have ended long before; what counts here is the time.
    let issued = world.attest(Guest::of(Tee::Tdx)).await.unwrap();
    assert!(issued.claims.exp.unwrap() <= end);
    world.clock.set(end.plus(1));
    let error = world.attest(Guest::of(Tee::Tdx)).await.err().unwrap();
    assert!(
        matches!(error.fault(), Fault::Evidence | Fault::CollateralTransient | Fault::CollateralPermanent),
        "{error}"
    );
}
