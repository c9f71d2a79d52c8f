//! A store, signers with certificates, and CoRIMs.

use std::str::FromStr as _;
use std::sync::Arc;

use assay_corim::{
    Comid, Corim, CryptoKey, Digest, DigestAlgorithm, Environment, Identifier, KeyHint, Measurement,
    MeasurementKey, MeasurementValues, Meta, Profile, ValueTriple,
};
use assay_cose::{Algorithm, Curve, PublicKey};
use assay_reference_values::{CorimSettings, CorimSigner, ReferenceValues};
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use assay_tee_cca::endorsement::PLATFORM_PROFILE;
use assay_types::{FixedClock, UnixTime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::Encode as _;
use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::{Keypair, Signer};
use p256::ecdsa::{DerSignature, Signature, SigningKey, VerifyingKey};
use serde_json::json;
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use tempfile::TempDir;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// 2027-01-15T08:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) clock: Arc<FixedClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: Arc::new(FixedClock::new(NOW)) }
    }

    pub(crate) async fn open(&self, settings: CorimSettings) -> ReferenceValues {
        let store = Store::open(StoreOptions {
            database: self.folder.path().join("assay.db"),
            key_encryption_key: KeyEncryptionKey::from_bytes([1; 32]),
        });
        ReferenceValues::load_with(store.await.unwrap(), self.clock.clone(), settings).await.unwrap()
    }
}

pub(crate) fn trusting(signers: &[CorimSigner]) -> CorimSettings {
    CorimSettings { signers: signers.to_vec(), danger_allow_unsigned: false }
}

pub(crate) fn unsigned_too() -> CorimSettings {
    CorimSettings { danger_allow_unsigned: true, ..CorimSettings::default() }
}

pub(crate) fn message(kind: &str, payload: &[u8]) -> Vec<u8> {
    json!({"type": kind, "payload": STANDARD.encode(payload)}).to_string().into_bytes()
}

/// Somebody with a key on P-256.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    key: SigningKey,
}

impl Person {
    pub(crate) fn new(name: &'static str, seed: u8) -> Self {
        Person { name, key: SigningKey::from_slice(&[seed; 32]).unwrap() }
    }

    pub(crate) fn public(&self) -> PublicKey {
        let point = self.key.verifying_key().to_sec1_point(false);
        PublicKey::from_point(Curve::P256, point.as_bytes()).unwrap()
    }

    fn spki(&self) -> SubjectPublicKeyInfoOwned {
        SubjectPublicKeyInfoOwned::from_key(self.key.verifying_key()).unwrap()
    }

    pub(crate) fn sign(&self, corim: &Corim, meta: &Meta, hint: &KeyHint) -> Vec<u8> {
        let sign = |message: &[u8]| {
            let signature: Signature = self.key.sign(message);
            Ok::<_, ()>(signature.to_bytes().to_vec())
        };
        corim.encode_signed(meta, Algorithm::Es256, hint, sign).unwrap()
    }

    /// Certifies `subject`, valid from `from` to `to`, in DER.
    pub(crate) fn certify(&self, subject: &Person, authority: bool, from: i64, to: i64) -> Vec<u8> {
        let time = |seconds: i64| {
            Time::try_from(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs()))
                .unwrap()
        };
        let profile = Certified { issuer: name(self.name), subject: name(subject.name), authority };
        let validity = Validity::new(time(from), time(to));
        let builder = CertificateBuilder::new(profile, SerialNumber::from(7_u32), validity, subject.spki());
        builder.unwrap().build::<_, DerSignature>(&Issuing(&self.key)).unwrap().to_der().unwrap()
    }
}

/// The key as the builder of certificates wants it.
struct Issuing<'a>(&'a SigningKey);

impl Keypair for Issuing<'_> {
    type VerifyingKey = VerifyingKey;

    fn verifying_key(&self) -> VerifyingKey {
        *self.0.verifying_key()
    }
}

impl DynSignatureAlgorithmIdentifier for Issuing<'_> {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        // ecdsa-with-SHA256 (RFC 5758, 3.2).
        let oid = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
        Ok(AlgorithmIdentifierOwned { oid, parameters: None })
    }
}

impl Signer<DerSignature> for Issuing<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<DerSignature, p256::ecdsa::signature::Error> {
        self.0.try_sign(message)
    }
}

fn name(common_name: &str) -> Name {
    Name::from_str(&format!("CN={common_name}")).unwrap()
}

struct Certified {
    issuer: Name,
    subject: Name,
    authority: bool,
}

impl BuilderProfile for Certified {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let usage = if self.authority { KeyUsages::KeyCertSign } else { KeyUsages::DigitalSignature };
        let constraints = BasicConstraints { ca: self.authority, path_len_constraint: None };
        let (subject, none) = (tbs.subject(), []);
        Ok(vec![
            constraints.to_extension(subject, &none)?,
            KeyUsage(usage.into()).to_extension(subject, &none)?,
        ])
    }
}

/// A CoRIM with one set of reference values in each of these CoMIDs.
pub(crate) fn corim(id: &str, comids: &[&str]) -> Corim {
    let comid = |tag: &str| {
        let mut comid = Comid::new(tag);
        let digest = Digest { algorithm: DigestAlgorithm::Id(1), value: vec![5; 32] };
        let values = MeasurementValues {
            digests: Some(vec![digest]),
            crypto_keys: Some(vec![CryptoKey::Bytes(vec![6; 32])]),
            ..MeasurementValues::default()
        };
        comid.triples.reference.push(ValueTriple {
            environment: Environment::of_class(Identifier::Bytes(vec![4; 32])),
            measurements: vec![Measurement {
                key: Some(MeasurementKey::Text("cca.software-component".into())),
                values,
                authorized_by: Vec::new(),
            }],
        });
        comid
    };
    let mut corim = Corim::new(id, comid(comids[0]));
    corim.tags.extend(comids[1..].iter().map(|tag| assay_corim::Tag::Comid(comid(tag))));
    corim.profile = Some(Profile::Uri(PLATFORM_PROFILE.into()));
    corim
}

/// The name of the reference values of one of those CoMIDs.
pub(crate) fn value_name(id: &str, comid: &str) -> String {
    format!("cca/platform/{}#{id}/{comid}", "04".repeat(32))
}
