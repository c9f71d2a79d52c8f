//! The same of tokens that other programs made, with their endorsements, where there are any.

use assay_tee_cca::CcaEvidence;
use assay_types::TrustTier::{Affirming, Warning};
use assay_types::{Binding, EndorsedAppraisal, Finding, Outcome, TrustVector};

use crate::support::shelf::Shelf;
use crate::support::{NOW, files, vectors, verify_with, with_test_keys};
use crate::{PLATFORM, REALM, assert_layers, failing};

/// Verifies a token with the trust anchors of these files, and appraises it with all they endorse.
fn appraise(token: &str, endorsements: &[&str]) -> Option<EndorsedAppraisal> {
    let folder = vectors()?;
    let read = |name: &&str| std::fs::read(folder.join(name)).unwrap();
    let (token, endorsements): (_, Vec<_>) = (read(&token), endorsements.iter().map(read).collect());
    let challenge = CcaEvidence::read(&token).unwrap().realm.challenge;
    let binding = Binding { report_data: Some(challenge.to_vec()), init_data: None };
    let genuine = verify_with(with_test_keys(), &token, &binding, &files(&endorsements)).unwrap();
    let appraiser = genuine.facts().appraiser.clone().unwrap();
    Some(appraiser.appraise(&Shelf::of(&endorsements), NOW))
}

fn findings(appraisal: &EndorsedAppraisal) -> Vec<Finding> {
    appraisal.findings.iter().map(|reason| reason.finding.clone()).collect()
}

/// Veraison's good token gets an affirming result there, though its firmware is signed by others than
/// the CoRIM says. Nothing else of it differs.
#[test]
fn the_good_token_of_veraison_is_good_but_for_its_signer_ids() {
    let corims = ["corim/corim-cca-platform-valid.cbor", "corim/corim-cca-realm-valid.cbor"];
    let Some(appraisal) = appraise("cca-good.cbor", &corims) else { return };
    let platform = TrustVector { executables: 33, ..PLATFORM };
    assert_layers("cca-good", &appraisal, (platform, Warning), (REALM, Affirming));
    let findings = findings(&appraisal);
    assert_eq!(failing(&findings), ["CCA-103", "CCA-106"], "{findings:#?}");
    let signers = findings.iter().filter(|finding| finding.code == "CCA-106");
    assert_eq!(signers.count(), 4, "one for each component");
    assert_eq!(
        appraisal.details["differing-components"],
        serde_json::json!(["BL", "M1", "M2", "M3"]),
        "the measurements are the expected ones"
    );
}

#[test]
fn the_good_token_without_the_corim_of_its_realm_is_not_affirming() {
    let corims = ["corim/corim-cca-platform-valid.cbor"];
    let Some(appraisal) = appraise("cca-good.cbor", &corims) else { return };
    let realm = TrustVector { executables: 33, ..REALM };
    let platform = TrustVector { executables: 33, ..PLATFORM };
    assert_layers("cca-good", &appraisal, (platform, Warning), (realm, Warning));
}

/// The stores of Trustee are those of its example token.
#[test]
fn the_example_token_of_trustee_matches_its_stores() {
    let stores = ["trustee/conf/tastore.json", "trustee/conf/rvstore.json"];
    let Some(appraisal) = appraise("trustee/misc/cca-example-token.cbor", &stores) else { return };
    let findings = findings(&appraisal);
    assert_layers("trustee", &appraisal, (PLATFORM, Affirming), (REALM, Affirming));
    assert!(failing(&findings).is_empty(), "{findings:#?}");
    assert!(findings.iter().any(|f| f.code == "CCA-125" && f.outcome == Outcome::Passed));
}
