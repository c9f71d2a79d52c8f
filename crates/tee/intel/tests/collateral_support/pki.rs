//! A PKI like Intel's with collateral, of which a test changes one thing before it is built.

use std::cell::OnceCell;

use assay_tee_intel::certified::{Certified, PckSource};
use assay_tee_intel::{Family, IntelAnchors};
use assay_types::{CollateralSet, UnixTime};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::der::{bits, boolean, int, octets, oid, seq, tlv, unsigned};
use super::{at, item};

pub(crate) const FMSPC: &str = "00906ea10000";

/// The time at which everything is valid.
pub(crate) fn now() -> UnixTime {
    at("2026-06-01T00:00:00Z")
}

/// A key of P-256 or, to be wrong, P-384.
pub(crate) struct Key {
    pkcs8: Vec<u8>,
    curve: &'static str,
    algorithm: &'static EcdsaSigningAlgorithm,
}

impl Key {
    pub(crate) fn p256() -> Self {
        Self::new("1.2.840.10045.3.1.7", &ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    pub(crate) fn p384() -> Self {
        Self::new("1.3.132.0.34", &ECDSA_P384_SHA384_ASN1_SIGNING)
    }

    fn new(curve: &'static str, algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Key { pkcs8: pkcs8.as_ref().to_vec(), curve, algorithm }
    }

    fn sign(&self, algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> Vec<u8> {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    fn spki(&self) -> Vec<u8> {
        let pair = EcdsaKeyPair::from_pkcs8(self.algorithm, &self.pkcs8).unwrap();
        let algorithm = seq(&[oid("1.2.840.10045.2.1"), oid(self.curve)]);
        seq(&[algorithm, bits(0, pair.public_key().as_ref())])
    }
}

/// A name as Intel writes it.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let part = |id: &str, text: &str| {
        let text = tlv(0x0c, &[text.as_bytes().to_vec()]);
        tlv(0x31, &[seq(&[oid(id), text])])
    };
    seq(&[
        part("2.5.4.3", common_name),
        part("2.5.4.10", "Intel Corporation"),
        part("2.5.4.7", "Santa Clara"),
        part("2.5.4.8", "CA"),
        part("2.5.4.6", "US"),
    ])
}

fn time(text: &str) -> Vec<u8> {
    // 20260601000000Z
    tlv(0x18, &[text.as_bytes().to_vec()])
}

/// What a certificate says; who signs it is said when it is built.
pub(crate) struct Certificate {
    pub(crate) key: Key,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: u64,
    pub(crate) not_before: &'static str,
    pub(crate) not_after: &'static str,
    pub(crate) version: Option<u64>,
    pub(crate) is_ca: bool,
    /// The first byte of the key usage and its unused bits.
    pub(crate) key_usage: (u8, u8),
    pub(crate) sgx: Option<Vec<u8>>,
    pub(crate) algorithm: &'static str,
    /// Signs in place of the issuer.
    pub(crate) other_signer: Option<Key>,
    /// Signatures are random; a certificate is built once.
    built: OnceCell<Vec<u8>>,
}

pub(crate) const SIGNS: (u8, u8) = (0xc0, 6);
pub(crate) const CERTIFIES: (u8, u8) = (0x06, 1);

impl Certificate {
    fn new(subject: &str, issuer: &str, serial: u64, is_ca: bool) -> Self {
        Certificate {
            key: Key::p256(),
            subject: subject.into(),
            issuer: issuer.into(),
            serial,
            not_before: "20200101000000Z",
            not_after: "20400101000000Z",
            version: Some(2),
            is_ca,
            key_usage: if is_ca { CERTIFIES } else { SIGNS },
            sgx: None,
            algorithm: "1.2.840.10045.4.3.2",
            other_signer: None,
            built: OnceCell::new(),
        }
    }

    pub(crate) fn der(&self, issuer: &Key) -> Vec<u8> {
        self.built.get_or_init(|| self.build(issuer)).clone()
    }

    fn build(&self, issuer: &Key) -> Vec<u8> {
        let extension = |id: &str, critical: bool, value: Vec<u8>| {
            let critical = if critical { boolean(true) } else { Vec::new() };
            seq(&[oid(id), critical, octets(&value)])
        };
        let basic = if self.is_ca { seq(&[boolean(true)]) } else { seq(&[]) };
        let usage = bits(self.key_usage.1, &[self.key_usage.0]);
        let sgx = self.sgx.clone().map(|value| extension("1.2.840.113741.1.13.1", false, value));
        let extensions = seq(&[
            extension("2.5.29.19", true, basic),
            extension("2.5.29.15", true, usage),
            sgx.unwrap_or_default(),
        ]);
        let algorithm = seq(&[oid(self.algorithm)]);
        let (version, extensions) = match self.version {
            Some(version) => (tlv(0xa0, &[int(version)]), tlv(0xa3, &[extensions])),
            None => (Vec::new(), Vec::new()),
        };
        let tbs = seq(&[
            version,
            int(self.serial),
            algorithm.clone(),
            name(&self.issuer),
            seq(&[time(self.not_before), time(self.not_after)]),
            name(&self.subject),
            self.key.spki(),
            extensions,
        ]);
        let signer = self.other_signer.as_ref().unwrap_or(issuer);
        let signature = signer.sign(signer.algorithm, &tbs);
        seq(&[tbs, algorithm, bits(0, &signature)])
    }
}

/// A revocation list.
pub(crate) struct List {
    pub(crate) issuer: String,
    pub(crate) next_update: Option<&'static str>,
    pub(crate) revoked: Vec<u64>,
    pub(crate) other_signer: Option<Key>,
}

impl List {
    pub(crate) fn der(&self, issuer: &Key) -> Vec<u8> {
        let algorithm = seq(&[oid("1.2.840.10045.4.3.2")]);
        let entry = |serial: &u64| seq(&[int(*serial), time("20260501000000Z")]);
        let revoked: Vec<Vec<u8>> = self.revoked.iter().map(entry).collect();
        let number = seq(&[oid("2.5.29.20"), octets(&int(7))]);
        let tbs = seq(&[
            int(1),
            algorithm.clone(),
            name(&self.issuer),
            time("20260515000000Z"),
            self.next_update.map(time).unwrap_or_default(),
            if revoked.is_empty() { Vec::new() } else { seq(&revoked) },
            tlv(0xa0, &[seq(&[number])]),
        ]);
        let signer = self.other_signer.as_ref().unwrap_or(issuer);
        let signature = signer.sign(signer.algorithm, &tbs);
        seq(&[tbs, algorithm, bits(0, &signature)])
    }
}

/// A signed document.
pub(crate) struct Document {
    pub(crate) member: &'static str,
    pub(crate) json: Value,
    /// Changes the text after it was signed.
    pub(crate) after: Option<fn(&str) -> String>,
    pub(crate) other_signer: Option<Key>,
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// The members of the extension of PCK certificates, each with its arc, and those of its TCB.
pub(crate) struct SgxExtension {
    pub(crate) members: Vec<(u32, Vec<u8>)>,
    pub(crate) tcb: Vec<(u32, Vec<u8>)>,
    pub(crate) configuration: Vec<(u32, Vec<u8>)>,
}

impl Default for SgxExtension {
    fn default() -> Self {
        let mut tcb: Vec<(u32, Vec<u8>)> = (1..=16).map(|arc| (arc, int(u64::from(arc)))).collect();
        tcb.push((17, int(300)));
        tcb.push((18, octets(&[9; 16])));
        SgxExtension {
            members: vec![
                (1, octets(&[1; 16])),
                (3, octets(&[0, 0])),
                (4, octets(&hex::decode(FMSPC).unwrap())),
                (5, vec![10, 1, 1]),
                (6, octets(&[6; 16])),
            ],
            tcb,
            configuration: vec![(1, boolean(true)), (2, boolean(false)), (3, boolean(true))],
        }
    }
}

impl SgxExtension {
    pub(crate) fn der(&self) -> Vec<u8> {
        let root = "1.2.840.113741.1.13.1";
        let all = |parent: &str, members: &[(u32, Vec<u8>)]| {
            let member =
                |(arc, value): &(u32, Vec<u8>)| seq(&[oid(&format!("{parent}.{arc}")), value.clone()]);
            members.iter().map(member).collect::<Vec<_>>()
        };
        let mut members = all(root, &self.members);
        members.push(seq(&[oid(&format!("{root}.2")), seq(&all(&format!("{root}.2"), &self.tcb))]));
        if !self.configuration.is_empty() {
            let configuration = seq(&all(&format!("{root}.7"), &self.configuration));
            members.push(seq(&[oid(&format!("{root}.7")), configuration]));
        }
        seq(&members)
    }
}

/// Everything; [`World::default`] is good for TDX.
pub(crate) struct World {
    pub(crate) family: Family,
    pub(crate) root: Certificate,
    pub(crate) ca: Certificate,
    pub(crate) leaf: Certificate,
    pub(crate) signer: Certificate,
    pub(crate) pck_crl: Option<List>,
    pub(crate) root_crl: Option<List>,
    pub(crate) tcb_info: Option<Document>,
    pub(crate) identity: Option<Document>,
    /// The places of the certificates in the quote's chain: 0 PCK, 1 CA, 2 root.
    pub(crate) order: Vec<usize>,
    /// The places of the certificates in the documents' chains: 0 signer, 1 root, 2 CA.
    pub(crate) document_chain: Vec<usize>,
    pub(crate) extra: Vec<Vec<u8>>,
    pub(crate) now: UnixTime,
    pub(crate) minimum: Option<u32>,
    pub(crate) anchors: Option<IntelAnchors>,
}

pub(crate) fn level(tcb: Value) -> Value {
    json!({"tcb": tcb, "tcbDate": "2026-02-11T00:00:00Z", "tcbStatus": "UpToDate"})
}

pub(crate) fn tcb_info_json(family: Family) -> Value {
    let components: Vec<Value> = (0..16).map(|_| json!({"svn": 0})).collect();
    let mut info = json!({
        "id": family.tcb_info_id(), "version": 3,
        "issueDate": "2026-05-20T00:00:00Z", "nextUpdate": "2026-06-19T00:00:00Z",
        "fmspc": FMSPC, "pceId": "0000", "tcbType": 0, "tcbEvaluationDataNumber": 20,
        "tcbLevels": [level(json!({"sgxtcbcomponents": components, "pcesvn": 5}))],
    });
    if family == Family::Tdx {
        let module = json!({"mrsigner": "00".repeat(48), "attributes": "00".repeat(8), "attributesMask": "FF".repeat(8)});
        info["tdxModule"] = module.clone();
        let mut identity = module;
        identity["id"] = json!("TDX_03");
        identity["tcbLevels"] = json!([level(json!({"isvsvn": 2}))]);
        info["tdxModuleIdentities"] = json!([identity]);
        info["tcbLevels"][0]["tcb"]["tdxtcbcomponents"] = json!(components);
    }
    info
}

pub(crate) fn identity_json(family: Family) -> Value {
    json!({
        "id": family.qe_identity_id(), "version": 2,
        "issueDate": "2026-05-20T00:00:00Z", "nextUpdate": "2026-06-19T00:00:00Z",
        "tcbEvaluationDataNumber": 20, "miscselect": "00000000", "miscselectMask": "FFFFFFFF",
        "attributes": format!("11{}", "00".repeat(15)), "attributesMask": format!("FB{}", "FF".repeat(15)),
        "mrsigner": "DC".repeat(32), "isvprodid": 2, "tcbLevels": [level(json!({"isvsvn": 4}))],
    })
}

impl Default for World {
    fn default() -> Self {
        let root_name = "Intel SGX Root CA";
        let ca_name = "Intel SGX PCK Platform CA";
        let mut leaf = Certificate::new("Intel SGX PCK Certificate", ca_name, 103, false);
        leaf.sgx = Some(SgxExtension::default().der());
        let list = |issuer: &str| List {
            issuer: issuer.into(),
            next_update: Some("20260615000000Z"),
            revoked: vec![1],
            other_signer: None,
        };
        let document = |member, json| Document { member, json, after: None, other_signer: None };
        World {
            family: Family::Tdx,
            root: Certificate::new(root_name, root_name, 101, true),
            ca: Certificate::new(ca_name, root_name, 102, true),
            leaf,
            signer: Certificate::new("Intel SGX TCB Signing", root_name, 104, false),
            pck_crl: Some(list(ca_name)),
            root_crl: Some(list(root_name)),
            tcb_info: Some(document("tcbInfo", tcb_info_json(Family::Tdx))),
            identity: Some(document("enclaveIdentity", identity_json(Family::Tdx))),
            order: vec![0, 1, 2],
            document_chain: vec![0, 1],
            extra: Vec::new(),
            now: now(),
            minimum: None,
            anchors: None,
        }
    }
}

impl World {
    pub(crate) fn root_der(&self) -> Vec<u8> {
        self.root.der(&self.root.key)
    }

    pub(crate) fn ca_der(&self) -> Vec<u8> {
        self.ca.der(&self.root.key)
    }

    pub(crate) fn leaf_der(&self) -> Vec<u8> {
        self.leaf.der(&self.ca.key)
    }

    pub(crate) fn anchors(&self) -> IntelAnchors {
        let entry = json!({"roots": [BASE64_STANDARD.encode(self.root_der())]});
        self.anchors.clone().unwrap_or_else(|| IntelAnchors::intel().with_emulated(&entry).unwrap())
    }

    /// The chain of the quote.
    pub(crate) fn chain(&self) -> Vec<u8> {
        let all = [self.leaf_der(), self.ca_der(), self.root_der()];
        let text: String = self.order.iter().map(|place| pem("CERTIFICATE", &all[*place])).collect();
        let mut bytes = text.into_bytes();
        bytes.push(0);
        bytes
    }

    pub(crate) fn document_chain(&self) -> String {
        let all = [self.signer.der(&self.root.key), self.root_der(), self.ca_der()];
        self.document_chain.iter().map(|place| pem("CERTIFICATE", &all[*place])).collect()
    }

    /// A document as served, with its chain.
    pub(crate) fn served(&self, document: &Document) -> Vec<u8> {
        let text = document.json.to_string();
        let signer = document.other_signer.as_ref().unwrap_or(&self.signer.key);
        let signature = hex::encode(signer.sign(&ECDSA_P256_SHA256_FIXED_SIGNING, text.as_bytes()));
        let text = document.after.map_or(text.clone(), |change| change(&text));
        let body = format!("{{\"{}\":{text},\"signature\":\"{signature}\"}}", document.member);
        let issuer_chain = self.document_chain();
        assay_types::ServedCollateral { issuer_chain, body: body.into_bytes() }.to_bytes().to_vec()
    }

    pub(crate) fn collateral(&self) -> CollateralSet {
        let mut items = self.extra.clone();
        items.extend(self.pck_crl.as_ref().map(|list| list.der(&self.ca.key)));
        items.extend(self.root_crl.as_ref().map(|list| list.der(&self.root.key)));
        items.extend(self.tcb_info.as_ref().map(|document| self.served(document)));
        items.extend(self.identity.as_ref().map(|document| self.served(document)));
        CollateralSet { items: items.into_iter().map(item).collect() }
    }

    pub(crate) fn certify(&self) -> Certified {
        Certified::build(&self.anchors(), self.family, PckSource::Chain(&self.chain()), &self.collateral())
    }

    /// A serial number as the certificates have it.
    pub(crate) fn serial(number: u64) -> Vec<u8> {
        unsigned(&number.to_be_bytes())
    }
}
