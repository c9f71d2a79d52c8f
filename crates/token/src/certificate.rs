//! Certificates in a token's header (`x5c`), judged against the trusted ones.
//!
//! The path is as short as it can be: the certificate of the signing key is itself trusted, or a
//! trusted certificate authority issued it. Intermediate certificates are not followed; whoever has
//! them trusts the last intermediate one.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::{Certificate, TbsCertificate};

use assay_types::{UnixTime, Validity};

use crate::{Curve, KeyMaterial, TokenError, VerifyingKey};

/// The longest certificate that is read, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The extensions that may be critical: those whose rules are applied here, and those that limit
/// names and purposes, which a token signer is not known by.
const UNDERSTOOD: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"), // keyUsage
    ObjectIdentifier::new_unwrap("2.5.29.17"), // subjectAltName
    ObjectIdentifier::new_unwrap("2.5.29.19"), // basicConstraints
    ObjectIdentifier::new_unwrap("2.5.29.37"), // extKeyUsage
];

/// A certificate whose form and key were checked, and nothing more.
#[derive(Debug)]
pub(crate) struct SigningCertificate {
    der: Vec<u8>,
    signed: Vec<u8>,
    parsed: Certificate,
    validity: Validity,
    key: VerifyingKey,
}

/// Trusted certificates, by which certificates that come with other signed documents are judged: the
/// rules are those for tokens.
#[derive(Debug, Default)]
pub struct CertificateTrust {
    trusted: Vec<SigningCertificate>,
}

impl CertificateTrust {
    /// Trusts these certificates in DER: of signing keys themselves, or of authorities that issue the
    /// certificates of signing keys directly.
    ///
    /// # Errors
    /// [`TokenError::CertificateMalformed`].
    pub fn new<D: AsRef<[u8]>>(certificates: &[D]) -> Result<Self, TokenError> {
        let trusted = certificates.iter().map(|der| SigningCertificate::from_der(der.as_ref()));
        Ok(CertificateTrust { trusted: trusted.collect::<Result<_, _>>()? })
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// Judges the certificate of a signing key, in DER, at the time `now`. Returns when it is trusted:
    /// while it and the certificate that vouches for it are valid. Intermediate certificates are not
    /// followed.
    ///
    /// # Errors
    /// [`TokenError::CertificateMalformed`], [`TokenError::CertificateUntrusted`],
    /// [`TokenError::CertificateNotValidNow`].
    pub fn check(&self, certificate: &[u8], now: UnixTime) -> Result<Validity, TokenError> {
        SigningCertificate::from_der(certificate)?.check_trust(&self.trusted, now)
    }
}

fn malformed(why: impl ToString) -> TokenError {
    TokenError::CertificateMalformed { why: why.to_string() }
}

fn untrusted(why: &'static str) -> TokenError {
    TokenError::CertificateUntrusted { why }
}

impl SigningCertificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`TokenError::CertificateMalformed`], also when its key is of a kind that signs no tokens.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, TokenError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(malformed(format!("more than {MAX_CERTIFICATE_BYTES} bytes")));
        }
        let parsed = Certificate::from_der(der).map_err(malformed)?;
        if parsed.signature_algorithm() != parsed.tbs_certificate().signature() {
            return Err(malformed("the signature algorithm is stated twice, differently"));
        }
        let material = public_key(parsed.tbs_certificate())?;
        let name = material.thumbprint();
        let key = VerifyingKey::from_material(material, name).map_err(malformed)?;
        let validity = validity(parsed.tbs_certificate());
        let signed = signed_part(der).map_err(malformed)?;
        Ok(SigningCertificate { der: der.to_vec(), signed, validity, key, parsed })
    }

    /// The key it certifies.
    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Checks that one of `trusted` is this certificate or issued it, and that both are valid. Returns
    /// when both are.
    ///
    /// # Errors
    /// [`TokenError::CertificateUntrusted`] with the reason that got farthest,
    /// [`TokenError::CertificateNotValidNow`].
    pub(crate) fn check_trust(
        &self,
        trusted: &[SigningCertificate],
        now: UnixTime,
    ) -> Result<Validity, TokenError> {
        let mut validity = self.validity;
        if !trusted.iter().any(|anchor| anchor.der == self.der) {
            let mut outcome = Err(untrusted("no trusted certificate bears the name of its issuer"));
            for anchor in trusted.iter().filter(|anchor| self.names_as_issuer(anchor)) {
                outcome = self
                    .check_issued_by(anchor)
                    .and_then(|()| anchor.check_validity(now))
                    .map(|()| anchor.validity);
                if outcome.is_ok() {
                    break;
                }
            }
            validity = validity.intersect(outcome?);
            self.check_extensions()?;
            if self.usage()?.is_some_and(|usage| !usage.digital_signature()) {
                return Err(untrusted("its key is not for signatures (keyUsage)"));
            }
        }
        self.check_validity(now)?;
        Ok(validity)
    }

    fn names_as_issuer(&self, anchor: &SigningCertificate) -> bool {
        self.parsed.tbs_certificate().issuer() == anchor.parsed.tbs_certificate().subject()
    }

    fn check_validity(&self, now: UnixTime) -> Result<(), TokenError> {
        if self.validity.contains(now) {
            return Ok(());
        }
        Err(TokenError::CertificateNotValidNow { validity: self.validity, now })
    }

    fn check_issued_by(&self, anchor: &SigningCertificate) -> Result<(), TokenError> {
        let constraints = anchor
            .parsed
            .tbs_certificate()
            .get_extension::<BasicConstraints>()
            .map_err(malformed)?
            .is_some_and(|(_, constraints)| constraints.ca);
        if !constraints {
            return Err(untrusted("the trusted certificate of that name is not an authority's"));
        }
        if anchor.usage()?.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(untrusted("the trusted certificate of that name may not issue others"));
        }
        anchor.check_extensions()?;
        let algorithm = issuing_algorithm(&self.parsed.signature_algorithm().oid, anchor.key.material())
            .ok_or_else(|| untrusted("its signature algorithm does not fit its issuer's key"))?;
        let key = subject_public_key(anchor.parsed.tbs_certificate())?;
        let signature =
            self.parsed.signature().as_bytes().ok_or_else(|| malformed("the signature has unused bits"))?;
        UnparsedPublicKey::new(algorithm, key)
            .verify(&self.signed, signature)
            .map_err(|_| untrusted("its signature does not hold under its issuer's key"))
    }

    fn usage(&self) -> Result<Option<KeyUsage>, TokenError> {
        let usage = self.parsed.tbs_certificate().get_extension::<KeyUsage>().map_err(malformed)?;
        Ok(usage.map(|(_, usage)| usage))
    }

    fn check_extensions(&self) -> Result<(), TokenError> {
        let extensions = self.parsed.tbs_certificate().extensions().map_or(&[][..], |all| all.as_slice());
        if extensions.iter().any(|e| e.critical && !UNDERSTOOD.contains(&e.extn_id)) {
            return Err(untrusted("it has a critical extension that is not understood"));
        }
        Ok(())
    }
}

/// The bytes that the signature is over, as they came.
fn signed_part(der: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|certificate| {
        let signed = certificate.tlv_bytes()?.to_vec();
        certificate.tlv_bytes()?;
        certificate.tlv_bytes()?;
        Ok::<_, der::Error>(signed)
    })
}

fn validity(certificate: &TbsCertificate) -> Validity {
    let seconds = |time: x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_secs()).map_or(UnixTime::MAX, UnixTime)
    };
    let stated = certificate.validity();
    Validity { not_before: seconds(stated.not_before), not_after: seconds(stated.not_after) }
}

/// The key's bytes: the point, or the DER of an RSA key.
fn subject_public_key(certificate: &TbsCertificate) -> Result<&[u8], TokenError> {
    let key = &certificate.subject_public_key_info().subject_public_key;
    key.as_bytes().ok_or_else(|| malformed("the public key has unused bits"))
}

fn public_key(certificate: &TbsCertificate) -> Result<KeyMaterial, TokenError> {
    let algorithm = &certificate.subject_public_key_info().algorithm;
    let key = subject_public_key(certificate)?;
    match algorithm.oid {
        EC_PUBLIC_KEY => {
            let named = algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok())
                .ok_or_else(|| malformed("its key is on no named curve"))?;
            let curve = match named {
                P256 => Curve::P256,
                P384 => Curve::P384,
                P521 => Curve::P521,
                _ => return Err(malformed("its key is on a curve that is not supported")),
            };
            let (x, y) = curve.split(key).ok_or_else(|| malformed("its key is no uncompressed point"))?;
            Ok(KeyMaterial::Ec { curve, x: x.to_vec(), y: y.to_vec() })
        }
        RSA_ENCRYPTION => {
            let (n, e) = rsa_components(key).map_err(malformed)?;
            Ok(KeyMaterial::Rsa { n, e })
        }
        ED25519 => Ok(KeyMaterial::Ed25519 {
            x: key.try_into().map_err(|_| malformed("an Ed25519 key has 32 bytes"))?,
        }),
        _ => Err(malformed("its key is of a kind that signs no tokens")),
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, A.1.1), without leading zeros.
pub(crate) fn rsa_components(der: &[u8]) -> der::Result<(Vec<u8>, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    let components = reader.sequence(|key| {
        let (n, e) = (UintRef::decode(key)?, UintRef::decode(key)?);
        Ok::<_, der::Error>((n.as_bytes().to_vec(), e.as_bytes().to_vec()))
    })?;
    reader.finish()?;
    Ok(components)
}

/// Modulus and exponent of an RSA `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
pub(crate) fn rsa_components_of_spki(der: &[u8]) -> der::Result<(Vec<u8>, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    let key = reader.sequence(|info| {
        info.tlv_bytes()?;
        BitStringRef::decode(info)
    })?;
    rsa_components(key.raw_bytes())
}

/// The algorithm with which a key of that kind signed a certificate.
fn issuing_algorithm(
    oid: &ObjectIdentifier,
    issuer: &KeyMaterial,
) -> Option<&'static dyn VerificationAlgorithm> {
    const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
    const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
    const ECDSA_SHA512: &str = "1.2.840.10045.4.3.4";
    const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
    const RSA_SHA384: &str = "1.2.840.113549.1.1.12";
    const RSA_SHA512: &str = "1.2.840.113549.1.1.13";
    let oid = oid.to_string();
    let algorithm: &'static dyn VerificationAlgorithm = match (issuer, oid.as_str()) {
        (KeyMaterial::Ec { curve: Curve::P256, .. }, ECDSA_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyMaterial::Ec { curve: Curve::P256, .. }, ECDSA_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyMaterial::Ec { curve: Curve::P384, .. }, ECDSA_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyMaterial::Ec { curve: Curve::P384, .. }, ECDSA_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyMaterial::Ec { curve: Curve::P521, .. }, ECDSA_SHA512) => &signature::ECDSA_P521_SHA512_ASN1,
        (KeyMaterial::Rsa { .. }, RSA_SHA256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (KeyMaterial::Rsa { .. }, RSA_SHA384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (KeyMaterial::Rsa { .. }, RSA_SHA512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (KeyMaterial::Ed25519 { .. }, "1.3.101.112") => &signature::ED25519,
        _ => return None,
    };
    Some(algorithm)
}
