//! Emulated certificates have the shape of AMD's own.
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

use std::path::PathBuf;

use assay_emulator::snp::{Authority, Guest};
use assay_emulator::{Seed, SnpSilicon};
use assay_tee_snp::evidence::CertType;
use assay_tee_snp::{KeyKind, Product};
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// A file of real evidence; `None`, and a line that says so, where there are none on this machine.
fn vector(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/snp").join(name);
    let found = std::fs::read(&path).ok();
    if found.is_none() {
        println!("skipped: no {name} in ../shared/vectors/snp");
    }
    found
}

/// The certificates of a PEM file.
fn pem(text: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|rest| {
            let body = rest.split("-----END").next().unwrap();
            BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
        })
        .collect()
}

/// Every tag with its depth, object identifiers with their content, and the content of what says
/// what a certificate may do; values and lengths left out.
fn shape(mut der: &[u8], depth: usize, out: &mut Vec<String>) {
    while let [tag, len, rest @ ..] = der {
        let (len, rest) = match len {
            0..=0x7f => (usize::from(*len), rest),
            0x81 => (usize::from(rest[0]), &rest[1..]),
            0x82 => (usize::from(rest[0]) << 8 | usize::from(rest[1]), &rest[2..]),
            other => panic!("length {other:#x}"),
        };
        let (content, after) = rest.split_at(len);
        match *tag {
            0x06 => out.push(format!("{depth} object {}", hex::encode(content))),
            // Key usage and basic constraints.
            0x04 if content.len() <= 8 && [0x03, 0x30].contains(&content[0]) => {
                out.push(format!("{depth} octets {}", hex::encode(content)));
            }
            tag => out.push(format!("{depth} {tag:02x}")),
        }
        if tag & 0x20 != 0 {
            shape(content, depth + 1, out);
        }
        der = after;
    }
}

fn assert_same_shape(what: &str, real: &[u8], emulated: &[u8]) {
    let [mut a, mut b] = [Vec::new(), Vec::new()];
    shape(real, 0, &mut a);
    shape(emulated, 0, &mut b);
    assert_eq!(a, b, "{what}");
}

#[test]
fn authorities_have_the_shape_of_amds() {
    let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
    for product in Product::ALL {
        let file = format!("{}_ask_ark_asvk.pem", product.as_str().to_lowercase());
        let Some(text) = vector(&file) else { return };
        let real = pem(&text);
        for (place, authority) in [Authority::Ask, Authority::Ark, Authority::Asvk].into_iter().enumerate() {
            let emulated = silicon.issue(&silicon.authority(product, authority)).unwrap();
            assert_same_shape(&format!("{product} {authority:?}"), &real[place], &emulated);
        }
    }
}

#[test]
fn endorsement_keys_have_the_shape_of_amds() {
    let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
    let certificate = |guest: Guest<'_>, cert_type| {
        guest.build().unwrap().certificate(cert_type).map(<[u8]>::to_vec).unwrap()
    };
    for (product, file) in [
        (Product::Milan, "milan_oc_release_evidence.vcek.der"),
        (Product::Genoa, "genoa_oc_evidence.vcek.der"),
        (Product::Turin, "turin_oc_evidence.vcek.der"),
    ] {
        let Some(real) = vector(file) else { return };
        assert_same_shape(file, &real, &certificate(silicon.guest(product), CertType::Vcek));
    }
    let Some(real) = vector("test-vlek.der") else { return };
    let guest = silicon.guest(Product::Milan).signed_by(KeyKind::Vlek);
    assert_same_shape("VLEK", &real, &certificate(guest, CertType::Vlek));
}
