//! What does not verify.

use assay_cbor::Value;
use assay_emulator::cca::{Cca, CorimKind, Members, Message, claim, indefinite};
use assay_emulator::{CcaSilicon, Seed};
use assay_types::TrustVector;

use crate::Kind::{Malformed, Rejected, Unsupported};
use crate::support::guest;
use crate::{Expected, Row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = claims();
    rows.extend(trust());
    rows.extend(encoding());
    rows.extend(signatures());
    rows
}

fn rems(members: &mut Members, lengths: &[usize]) {
    let of = |length: &usize| Value::Bytes(vec![0; *length]);
    members.set(claim::realm::EXTENSIBLE_MEASUREMENTS, lengths.iter().map(of).collect::<Vec<_>>());
}

/// Lines 4, 16, 20, 22 and 23: claims that cannot be.
fn claims() -> Vec<Row> {
    let lifecycle = |variant, value: i64, code| {
        Row::new(4, variant)
            .guest(move |g| g.platform_members(move |m| m.set(claim::platform::LIFECYCLE, value)))
            .refused(Malformed, code)
    };
    let measurements = |variant, lengths: &'static [usize]| {
        Row::new(16, variant)
            .guest(move |g| g.realm_members(move |m| rems(m, lengths)))
            .refused(Malformed, &["CCA-025"])
    };
    vec![
        lifecycle("lifecycle 0x3100", 0x3100, &["CCA-024"]),
        lifecycle("lifecycle 0x7000", 0x7000, &["CCA-024"]),
        lifecycle("lifecycle negative", -1, &["CCA-008"]),
        measurements("3 REMs", &[32, 32, 32]),
        measurements("5 REMs", &[32, 32, 32, 32, 32]),
        measurements("REMs of mixed sizes", &[32, 32, 48, 64]),
        Row::new(20, "RAK hash md5")
            .guest(|g| g.realm_members(|m| m.set(claim::realm::PUBLIC_KEY_HASH_ALGORITHM, "md5")))
            .refused(Malformed, &["CCA-026"]),
        Row::new(22, "realm hash-alg banana")
            .guest(|g| g.realm_members(|m| m.set(claim::realm::HASH_ALGORITHM, "banana")))
            .refused(Malformed, &["CCA-026"]),
        Row::new(23, "platform hash-alg banana")
            .guest(|g| g.platform_members(|m| m.set(claim::platform::HASH_ALGORITHM, "banana")))
            .refused(Malformed, &["CCA-026"]),
        Row::new(23, "platform hash-alg missing")
            .guest(|g| g.platform_members(|m| m.remove(claim::platform::HASH_ALGORITHM)))
            .refused(Malformed, &["CCA-007"]),
    ]
}

/// Lines 19, 20 and 28: keys.
fn trust() -> Vec<Row> {
    let mut no_anchor = Row::new(19, "no TA")
        .corims(|c| c.platform = guest(Cca::Draft2023).corim(CorimKind::Platform))
        .refused(Rejected, &["CCA-011"]);
    if let Expected::Refused { vector, .. } = &mut no_anchor.expected {
        *vector = TrustVector { instance_identity: 97, ..TrustVector::default() };
    }
    vec![
        no_anchor,
        Row::new(20, "binding broken")
            .guest(|g| g.platform(|p| p.challenge = Some(vec![0xbb; 32])))
            .refused(Rejected, &["CCA-020"]),
        Row::new(20, "binding broken: the realm token of another platform")
            .guest(|g| g.splice(&CcaSilicon::new(Seed::new([8; 32]))))
            .refused(Rejected, &["CCA-020"]),
        Row::new(28, "realm profile present and raw RAK")
            .guest(assay_emulator::cca::CcaGuest::raw_rak)
            .refused(Rejected, &["CCA-015"]),
        Row::new(28, "realm profile absent and COSE_Key")
            .of(Cca::Rmm10)
            .guest(assay_emulator::cca::CcaGuest::cose_rak)
            .refused(Rejected, &["CCA-015"]),
    ]
}

/// Lets the outermost length of the collection, behind its tag, open.
fn open_collection(token: &mut Vec<u8>) {
    let open = indefinite(&token[3..]).unwrap();
    token.truncate(3);
    token.extend(open);
}

fn open(claims: &mut Vec<u8>) {
    *claims = indefinite(claims).unwrap();
}

/// Lines 29 and 30: bytes that are not what they should be.
fn encoding() -> Vec<Row> {
    let row = |variant| Row::new(30, variant);
    vec![
        Row::new(29, "duplicate key 2395 = 0x6000 then 0x3000")
            .guest(|g| {
                g.platform_members(|m| {
                    m.set(claim::platform::LIFECYCLE, 0x6000_i64);
                    m.add(claim::platform::LIFECYCLE, 0x3000_i64);
                })
            })
            .refused(Malformed, &["CCA-008"]),
        Row::new(29, "duplicate key of the realm")
            .guest(|g| g.realm_members(|m| m.duplicate(claim::realm::INITIAL_MEASUREMENT)))
            .refused(Malformed, &["CCA-010"]),
        row("indefinite-length collection")
            .guest(|g| g.token_bytes(open_collection))
            .refused(Malformed, &["CCA-002"]),
        row("indefinite-length map of the platform")
            .guest(|g| g.platform_bytes(open))
            .refused(Malformed, &["CCA-008"]),
        row("indefinite-length map of the realm")
            .guest(|g| g.realm_bytes(open))
            .refused(Malformed, &["CCA-010"]),
        row("trailing byte, outer")
            .guest(|g| g.token_bytes(|bytes| bytes.push(0)))
            .refused(Malformed, &["CCA-002"]),
        row("trailing byte, inner, platform")
            .guest(|g| g.platform_bytes(|bytes| bytes.push(0)))
            .refused(Malformed, &["CCA-008"]),
        row("trailing byte, inner, realm")
            .guest(|g| g.realm_bytes(|bytes| bytes.push(0)))
            .refused(Malformed, &["CCA-010"]),
        row("no outer tag").guest(|g| g.collection(|c| c.tag = None)).refused(Malformed, &["CCA-002"]),
        row("no tag 18, platform")
            .guest(|g| g.platform_message(|m| m.tag = None))
            .refused(Malformed, &["CCA-003"]),
        row("no tag 18, realm").guest(|g| g.realm_message(|m| m.tag = None)).refused(Malformed, &["CCA-004"]),
        // Its profile is none of a realm's: this is said first, and alone.
        row("platform token used as realm")
            .guest(|g| {
                g.collection(|c| {
                    let platform = c.members.get(claim::PLATFORM_TOKEN).cloned().unwrap();
                    c.members.set(claim::REALM_TOKEN, platform);
                })
            })
            .refused(Unsupported, &["CCA-006"]),
    ]
}

/// Line 30: signatures.
fn signatures() -> Vec<Row> {
    let platform = |variant, edit: fn(&mut Message), code| {
        Row::new(30, variant).guest(move |g| g.platform_message(edit)).refused(Rejected, code)
    };
    let realm = |variant, edit: fn(&mut Message), code| {
        Row::new(30, variant).guest(move |g| g.realm_message(edit)).refused(Rejected, code)
    };
    let empty: fn(&mut Message) = |message| message.signature = Some(Vec::new());
    vec![
        platform("alg missing, platform", Message::remove_algorithm, &["CCA-013"]),
        platform("alg only unprotected, platform", Message::unprotect_algorithm, &["CCA-013"]),
        platform("empty signature, platform", empty, &["CCA-014"]),
        realm("alg missing, realm", Message::remove_algorithm, &["CCA-017"]),
        realm("alg only unprotected, realm", Message::unprotect_algorithm, &["CCA-017"]),
        realm("empty signature, realm", empty, &["CCA-018"]),
    ]
}
