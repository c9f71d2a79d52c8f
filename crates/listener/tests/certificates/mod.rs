//! Certificate authorities, and certificates of theirs, made as they are needed.

#![allow(dead_code, unreachable_pub)]

use std::path::Path;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use der::Encode as _;
use der::asn1::{Ia5String, ObjectIdentifier};
use p256::ecdsa::signature::{Keypair, Signer};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::EncodePrivateKey as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// A day, in seconds.
pub const DAY: i64 = 86_400;

/// An authority.
pub struct Ca {
    name: &'static str,
    key: SigningKey,
    pub certificate: Vec<u8>,
}

/// A certificate and its private key (PKCS#8), in DER.
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl Ca {
    pub fn new(name: &'static str) -> Self {
        let key = new_key();
        let certificate = certify(name, &key, name, &key, &[], true, -DAY, DAY);
        Ca { name, key, certificate }
    }

    /// A certificate for these names (a URI has a colon), valid now.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_for(names, -DAY, DAY)
    }

    /// The same, valid from and until so many seconds from now.
    pub fn issue_for(&self, names: &[&str], from: i64, until: i64) -> Identity {
        let key = new_key();
        let certificate = certify(self.name, &self.key, "somebody", &key, names, false, from, until);
        Identity { certificate, key: p256::SecretKey::from(&key).to_pkcs8_der().unwrap().as_bytes().to_vec() }
    }

    /// Writes its certificate (PEM).
    pub fn write(&self, file: &Path) {
        std::fs::write(file, pem("CERTIFICATE", &self.certificate)).unwrap();
    }
}

impl Identity {
    /// Writes certificate and key (PEM).
    pub fn write(&self, certificate: &Path, key: &Path) {
        std::fs::write(certificate, pem("CERTIFICATE", &self.certificate)).unwrap();
        std::fs::write(key, pem("PRIVATE KEY", &self.key)).unwrap();
    }

    /// For rustls.
    pub fn for_rustls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        (vec![CertificateDer::from(self.certificate.clone())], key)
    }
}

/// A key that no other test of this process has; it protects nothing.
fn new_key() -> SigningKey {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let mut secret = [7; 32];
    secret[24..].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    SigningKey::from_slice(&secret).unwrap()
}

pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

#[allow(clippy::too_many_arguments)]
fn certify(
    issuer: &str,
    issuer_key: &SigningKey,
    subject: &str,
    key: &SigningKey,
    names: &[&str],
    authority: bool,
    from: i64,
    until: i64,
) -> Vec<u8> {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let time = |offset: i64| {
        let seconds = now.checked_add_signed(offset).unwrap();
        Time::try_from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap()
    };
    let profile = Profile {
        issuer: name(issuer),
        subject: name(subject),
        names: names.iter().map(|name| general_name(name)).collect(),
        authority,
    };
    let validity = Validity::new(time(from), time(until));
    let serial = SerialNumber::from(SERIAL.fetch_add(1, Ordering::Relaxed));
    let spki = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
    let builder = CertificateBuilder::new(profile, serial, validity, spki).unwrap();
    builder.build::<_, DerSignature>(&Issuing(issuer_key)).unwrap().to_der().unwrap()
}

fn name(common_name: &str) -> Name {
    Name::from_str(&format!("CN={common_name}")).unwrap()
}

fn general_name(name: &str) -> GeneralName {
    let text = Ia5String::new(name).unwrap();
    if name.contains(':') { GeneralName::UniformResourceIdentifier(text) } else { GeneralName::DnsName(text) }
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

struct Profile {
    issuer: Name,
    subject: Name,
    names: Vec<GeneralName>,
    authority: bool,
}

impl BuilderProfile for Profile {
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
        let mut extensions = vec![
            constraints.to_extension(subject, &none)?,
            KeyUsage(usage.into()).to_extension(subject, &none)?,
        ];
        if !self.names.is_empty() {
            extensions.push(SubjectAltName(self.names.clone()).to_extension(subject, &none)?);
        }
        Ok(extensions)
    }
}
