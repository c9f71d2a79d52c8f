//! What verifies, and how it is appraised.

use assay_cbor::Value;
use assay_corim::{Digest, DigestAlgorithm, Measurement, MeasurementKey};
use assay_emulator::cca::{Cca, CorimKind, CorimTemplate, Members, claim, mkey};
use assay_tee_cca::SoftwareComponent;
use assay_types::HashAlgorithm;
use assay_types::TrustTier::{Affirming, Contraindicated, Warning};

use crate::Row;
use crate::support::guest;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for generation in Cca::ALL {
        rows.push(Row::new(1, "baseline").of(generation));
    }
    rows.extend(lifecycle());
    rows.extend(firmware());
    rows.extend(configuration());
    rows.extend(realm());
    rows.extend(endorsements());
    rows.extend(forms());
    rows
}

/// Lines 2 and 3.
fn lifecycle() -> Vec<Row> {
    let row =
        |line, variant, value| Row::new(line, variant).guest(move |g| g.platform(|p| p.lifecycle = value));
    let unsecured = |variant, value| {
        row(2, variant, value)
            .platform(Contraindicated, |v| {
                v.instance_identity = 96;
                v.runtime_opaque = 96;
                v.storage_opaque = 96;
            })
            .realm(Warning, |v| v.runtime_opaque = 32)
            .because(&["CCA-102", "CCA-122"])
    };
    let debugged = |variant, value| {
        row(3, variant, value)
            .platform(Warning, |v| v.runtime_opaque = 32)
            .realm(Warning, |v| v.runtime_opaque = 32)
            .because(&["CCA-102", "CCA-122"])
    };
    vec![
        unsecured("lifecycle 0x0000", 0x0000),
        unsecured("lifecycle 0x00ff", 0x00ff),
        unsecured("lifecycle 0x1000", 0x1000),
        unsecured("lifecycle 0x10ff", 0x10ff),
        unsecured("lifecycle 0x2000", 0x2000),
        unsecured("lifecycle 0x20ff", 0x20ff),
        unsecured("lifecycle 0x5000", 0x5000),
        unsecured("lifecycle 0x50ff", 0x50ff),
        unsecured("lifecycle 0x6000", 0x6000),
        unsecured("lifecycle 0x60ff", 0x60ff),
        row(3, "lifecycle 0x3000", 0x3000),
        row(3, "lifecycle 0x30ff", 0x30ff),
        debugged("lifecycle 0x4000", 0x4000),
        debugged("lifecycle 0x40ff", 0x40ff),
    ]
}

/// Lines 5 to 9.
fn firmware() -> Vec<Row> {
    let unrecognised = |row: Row, codes| row.platform(Warning, |v| v.executables = 33).because(codes);
    vec![
        unrecognised(
            Row::new(5, "signer id of every component changed").guest(|g| {
                g.platform(|p| p.components.iter_mut().for_each(|found| found.signer_id = vec![0x52; 32]))
            }),
            &["CCA-103", "CCA-106"],
        ),
        unrecognised(
            Row::new(6, "one component missing from the evidence")
                .guest(|g| g.platform(|p| drop(p.components.remove(2)))),
            &["CCA-103", "CCA-109"],
        ),
        unrecognised(
            Row::new(7, "extra unknown component").guest(|g| {
                g.platform(|p| {
                    let more = SoftwareComponent {
                        component_type: Some("BL31".into()),
                        measurement: vec![0xb3; 32],
                        ..p.components[0].clone()
                    };
                    p.components.push(more);
                })
            }),
            &["CCA-103", "CCA-108"],
        ),
        Row::new(8, "component without type")
            .guest(|g| g.platform(|p| p.components[1].component_type = None)),
        Row::new(9, "version differs, the reference has none")
            .guest(|g| g.platform(|p| p.components[2].version = Some("9.9".into())))
            .corims(|c| c.platform.component_mut("RMM").unwrap().values.version = None),
        unrecognised(
            Row::new(9, "component twice").guest(|g| {
                g.platform(|p| {
                    let again = p.components[2].clone();
                    p.components.push(again);
                })
            }),
            &["CCA-103", "CCA-110"],
        ),
    ]
}

/// Lines 10 and 11.
fn configuration() -> Vec<Row> {
    let differs = |row: Row| row.platform(Warning, |v| v.configuration = 32).because(&["CCA-104"]);
    let masked = |c: &mut CorimTemplate| c.mask_config(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let high_bits = |row: Row| row.guest(|g| g.platform(|p| p.config[7] ^= 0xf0));
    let draft_form = move |c: &mut CorimTemplate| {
        masked(c);
        c.as_draft_04();
    };
    vec![
        differs(Row::new(10, "config differs").guest(|g| g.platform(|p| p.config[0] ^= 1))),
        high_bits(Row::new(10, "config differs only in masked bits"))
            .corims(move |c| masked(&mut c.platform)),
        differs(
            Row::new(10, "config differs in masked and other bits")
                .guest(|g| g.platform(|p| p.config[7] ^= 0x11))
                .corims(move |c| masked(&mut c.platform)),
        ),
        differs(Row::new(10, "config empty").guest(|g| g.platform(|p| p.config.clear()))),
        Row::new(11, "config reference as tag 563").corims(|c| c.platform.as_draft_04()),
        high_bits(Row::new(11, "config reference as tag 563, masked bits differ"))
            .corims(move |c| draft_form(&mut c.platform)),
        differs(
            Row::new(11, "config reference as tag 563, other bits differ")
                .guest(|g| g.platform(|p| p.config[0] ^= 1))
                .corims(move |c| draft_form(&mut c.platform)),
        ),
    ]
}

/// Takes measurements of a realm out of its reference values.
fn leave_out(corim: &mut Option<CorimTemplate>, keys: &[&str]) {
    let comid = corim.as_mut().unwrap().comid_mut().unwrap();
    let left_out = |found: &Measurement| match &found.key {
        Some(MeasurementKey::Text(key)) => keys.contains(&key.as_str()),
        _ => false,
    };
    comid.triples.reference[0].measurements.retain(|found| !left_out(found));
}

/// Lines 12 to 15.
fn realm() -> Vec<Row> {
    let rem0 = |row: Row| row.guest(|g| g.realm(|r| r.extensible_measurements[0][0] ^= 1));
    vec![
        Row::new(12, "RPV differs")
            .guest(|g| g.realm(|r| r.personalization_value[63] ^= 1))
            .realm(Contraindicated, |v| v.executables = 96)
            .because(&["CCA-123", "CCA-124"]),
        rem0(Row::new(13, "REM0 differs from reference"))
            .realm(Warning, |v| v.executables = 33)
            .because(&["CCA-123", "CCA-125"]),
        rem0(Row::new(14, "reference has RIM and REM2 only, REM0 differs"))
            .corims(|c| leave_out(&mut c.realm, &["cca.rem0", "cca.rem1", "cca.rem3", mkey::RPV]))
            .noting("CCA-125", "no reference value for REM0"),
        Row::new(15, "reference has RIM only")
            .corims(|c| {
                leave_out(&mut c.realm, &mkey::REM);
                leave_out(&mut c.realm, &[mkey::RPV]);
            })
            .realm(Affirming, |v| v.executables = 3)
            .noting("CCA-125", "no reference value for REM3"),
    ]
}

/// Lines 17, 18 and 32.
fn endorsements() -> Vec<Row> {
    let unknown = |row: Row| row.realm(Warning, |v| v.executables = 33).because(&["CCA-123"]);
    // Another algorithm's digest of the same image stands first.
    let second = |found: &mut Measurement| {
        let other = Digest { algorithm: DigestAlgorithm::Id(7), value: vec![0x33; 48] };
        found.values.digests.as_mut().unwrap().insert(0, other);
    };
    vec![
        unknown(Row::new(17, "RIM unknown").guest(|g| g.realm(|r| r.initial_measurement = vec![0x12; 32]))),
        unknown(Row::new(17, "no realm RV").corims(|c| c.realm = None)),
        Row::new(18, "no platform RV")
            .corims(|c| c.platform = guest(Cca::Draft2023).corim(CorimKind::TrustAnchor))
            .platform(Warning, |v| {
                v.configuration = 36;
                v.executables = 33;
            })
            .because(&["CCA-103", "CCA-104"]),
        Row::new(32, "two digests in cca.rim reference")
            .corims(move |c| second(c.realm.as_mut().unwrap().measurement_mut(mkey::RIM).unwrap())),
        Row::new(32, "two digests in every reference of the realm").corims(move |c| {
            let measured = c.realm.as_mut().unwrap().measurements_mut();
            measured.filter(|found| found.values.digests.is_some()).for_each(second);
        }),
    ]
}

/// Changes the first firmware component as it stands in the token.
fn add_to_component(members: &mut Members) {
    let Some(Value::Array(components)) = members.get_mut(claim::platform::SW_COMPONENTS) else { panic!() };
    let Value::Map(first) = &mut components[0] else { panic!() };
    first.push((9_i64.into(), "anything".into()));
}

/// Lines 21, 24 to 27 and 31: forms that change nothing of what is said.
fn forms() -> Vec<Row> {
    vec![
        Row::new(21, "RAK hash sha-384").guest(|g| g.rak_hash(HashAlgorithm::Sha384)),
        Row::new(21, "RAK hash sha-512").guest(|g| g.rak_hash(HashAlgorithm::Sha512)),
        Row::new(24, "unknown platform claim").guest(|g| g.platform_members(|m| m.add(99_999_i64, "x"))),
        Row::new(24, "unknown sw-component key 9").guest(|g| g.platform_members(add_to_component)),
        Row::new(25, "platform 2023 profile and realm 2023").of(Cca::Draft2023),
        Row::new(25, "legacy and raw RAK").of(Cca::Rmm10),
        Row::new(26, "platform 2024#2.0.0").of(Cca::Rmm20Of2024),
        Row::new(26, "platform 2026#2.0.0").of(Cca::Rmm20Of2026),
        Row::new(27, "realm 2024#2.0.0").of(Cca::Mixed),
        Row::new(31, "extra key in outer collection")
            .guest(|g| g.collection(|c| c.members.add(44242_i64, Value::Null)))
            .noting("CCA-028", "44242"),
    ]
}
