//! Certificates and lists of the Intel-like vendor: they chain, and have the shape of Intel's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

use assay_emulator::intel::{COLLATERAL_VALIDITY, PckCa, Platform, Role, oid, pem_chain};
use assay_emulator::{Emulator, IntelSilicon, Seed};
use assay_types::{Tee, UnixTime};
use assay_x509::{Certificate, Crl, Der, SignatureAlgorithm, split_pem};
use base64::prelude::{BASE64_STANDARD, Engine as _};

fn silicon() -> IntelSilicon {
    IntelSilicon::new(Seed::DEVELOPMENT)
}

fn authority(role: Role) -> Certificate {
    Certificate::from_der(&silicon().authority(role).issue().unwrap()).unwrap()
}

#[test]
fn certificates_chain_to_the_root_by_name_key_and_id() {
    let root = authority(Role::Root);
    assert!(root.signed.is_signed_by(&root.key));
    assert_eq!(root.subject, root.issuer);
    for role in [Role::Root, Role::PlatformCa, Role::ProcessorCa, Role::TcbSigning] {
        let certificate = authority(role);
        assert_eq!(certificate.issuer, root.subject);
        assert_eq!(certificate.subject.common_name(), Some(role.common_name()));
        assert_eq!(certificate.signed.algorithm(), SignatureAlgorithm::EcdsaSha256);
        assert!(certificate.signed.is_signed_by(&root.key), "{role:?}");
        assert_eq!(certificate.serial.len(), 20);
        let depth = match role {
            Role::Root => Some(1),
            Role::TcbSigning => None,
            _ => Some(0),
        };
        let constraints = certificate.basic_constraints.unwrap();
        assert_eq!((constraints.ca, constraints.path_len_constraint), (depth.is_some(), depth));
    }
    for ca in [PckCa::Platform, PckCa::Processor] {
        let mut platform = silicon().platform();
        platform.ca = ca;
        let leaf = Certificate::from_der(&silicon().pck_certificate(&platform).issue().unwrap()).unwrap();
        let authority = authority(Role::of(ca));
        assert_eq!(leaf.issuer, authority.subject);
        assert!(leaf.signed.is_signed_by(&authority.key));
        assert!(!leaf.signed.is_signed_by(&root.key));
        let extension = leaf.extensions.iter().find(|extension| extension.extn_id == oid::SGX).unwrap();
        assert_eq!(extension.extn_value.as_bytes(), platform.extension().to_der());
    }
}

#[test]
fn another_platform_or_tcb_has_another_key_and_serial_number() {
    let plain = silicon().platform();
    let edits: [fn(&mut Platform); 5] = [
        |platform| platform.ppid[0] ^= 1,
        |platform| platform.cpu_svn[0] ^= 1,
        |platform| platform.pce_svn += 1,
        |platform| platform.pce_id[0] ^= 1,
        |platform| platform.ca = PckCa::Processor,
    ];
    for edit in edits {
        let mut other = plain.clone();
        edit(&mut other);
        assert_ne!(silicon().pck_serial(&other), silicon().pck_serial(&plain));
        assert_ne!(silicon().pck_key(&other).public_key_info(), silicon().pck_key(&plain).public_key_info());
    }
}

#[test]
fn lists_are_signed_and_say_what_is_revoked() {
    let platform = silicon().platform();
    let mut collateral = silicon().collateral(&platform, COLLATERAL_VALIDITY);
    let read = |der: Vec<u8>| Crl::from_der(&der).unwrap();
    for (list, role) in [
        (&collateral.root_crl, Role::Root),
        (&collateral.platform_crl, Role::PlatformCa),
        (&collateral.processor_crl, Role::ProcessorCa),
    ] {
        let issuer = authority(role);
        let list = read(list.issue().unwrap());
        assert_eq!(list.issuer, issuer.subject);
        assert!(list.signed.is_signed_by(&issuer.key), "{role:?}");
        assert_eq!(list.validity(), COLLATERAL_VALIDITY);
        assert_eq!(list.number, Some(1));
        // The seven levels of the platform that is always revoked.
        assert_eq!(list.revoked.len(), if role == Role::Root { 0 } else { 7 });
    }
    let serial = assay_x509::minimal(&silicon().pck_serial(&platform));
    assert!(!read(collateral.platform_crl.issue().unwrap()).revoked.contains(&serial));
    collateral.revoke(&platform);
    assert!(read(collateral.platform_crl.issue().unwrap()).revoked.contains(&serial));
    assert_eq!(read(collateral.processor_crl.issue().unwrap()).revoked.len(), 7);
    collateral.revoke_every_level();
    assert_eq!(read(collateral.platform_crl.issue().unwrap()).revoked.len(), 14);
    assert_eq!(read(collateral.processor_crl.issue().unwrap()).revoked.len(), 14);
    collateral.revoke_authority(Role::TcbSigning);
    assert_eq!(read(collateral.root_crl.issue().unwrap()).revoked, [authority(Role::TcbSigning).serial]);
}

#[test]
fn edits_of_templates_are_signed_or_broken_as_asked() {
    let root = authority(Role::Root);
    let mut template = silicon().authority(Role::TcbSigning);
    template.validity.not_after = UnixTime(1_800_000_000);
    template.remove_extension(oid::SUBJECT_KEY_ID);
    let read = |template: &assay_emulator::intel::CertificateTemplate| {
        Certificate::from_der(&template.issue().unwrap()).unwrap()
    };
    let edited = read(&template);
    assert_eq!(edited.validity.not_after, UnixTime(1_800_000_000));
    assert!(edited.signed.is_signed_by(&root.key));
    assert!(edited.extensions.iter().all(|extension| extension.extn_id != oid::SUBJECT_KEY_ID));
    template.signer = silicon().stray_key("a");
    assert!(!read(&template).signed.is_signed_by(&root.key));
    let mut template = silicon().authority(Role::TcbSigning);
    template.broken_signature = true;
    assert!(!read(&template).signed.is_signed_by(&root.key));
}

#[test]
fn anchors_are_the_one_root() {
    let anchors = Emulator::new(Seed::DEVELOPMENT).anchors();
    let root = BASE64_STANDARD.encode(silicon().authority(Role::Root).issue().unwrap());
    for tee in [Tee::Tdx, Tee::Sgx] {
        assert_eq!(anchors.anchors[&tee], serde_json::json!({ "roots": [root] }));
    }
}

fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    let der = |piece| match piece {
        Der::Certificate(der) => der,
        other => panic!("{other:?}"),
    };
    split_pem(pem).unwrap().into_iter().map(der).collect()
}

/// Tags in order, with depth, the contents of object identifiers, and what is DER inside octet strings.
fn skeleton(der: &[u8], depth: usize, out: &mut Vec<String>) -> Option<()> {
    let mut rest = der;
    while !rest.is_empty() {
        let (tag, first) = (*rest.first()?, usize::from(*rest.get(1)?));
        let (header, len) = if first < 0x80 {
            (2, first)
        } else {
            let digits = rest.get(2..2 + (first & 0x7f))?;
            (2 + digits.len(), digits.iter().fold(0, |len, digit| len * 256 + usize::from(*digit)))
        };
        let content = rest.get(header..header + len)?;
        rest = rest.get(header + len..)?;
        let shown = if tag == 6 { hex::encode(content) } else { String::new() };
        out.push(format!("{depth} {tag:02x} {shown}"));
        let mut inside = Vec::new();
        // Ids and versions can look like DER by chance, but not like these.
        let holds_der = tag == 4 && matches!(content.first(), Some(0x03 | 0x04 | 0x30));
        if (tag & 0x20 != 0 || holds_der) && skeleton(content, depth + 1, &mut inside).is_some() {
            out.extend(inside);
        }
    }
    Some(())
}

#[test]
fn certificates_have_the_skeleton_of_intels() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/intel/tdx_quote_5.dat");
    let Ok(quote) = std::fs::read(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let begin = quote.windows(10).position(|window| window == b"-----BEGIN").unwrap();
    let end = quote.iter().rposition(|byte| *byte == b'-').unwrap();
    let real = certificates(&quote[begin..=end]);
    assert_eq!(quote[end + 1..], *b"\n\0");
    let platform = silicon().platform();
    let ours = [
        silicon().pck_certificate(&platform).issue().unwrap(),
        silicon().authority(Role::PlatformCa).issue().unwrap(),
        silicon().authority(Role::Root).issue().unwrap(),
    ];
    let of = |der: &[u8]| {
        let mut out = Vec::new();
        skeleton(der, 0, &mut out).unwrap();
        out
    };
    assert_eq!(real.len(), ours.len());
    for (real, ours) in real.iter().zip(&ours) {
        assert_eq!(of(real), of(ours));
    }
    assert_eq!(certificates(pem_chain(&ours).as_bytes()), ours);
}
