//! A self-signed certificate for the key that signs tokens.
//!
//! Trustee's verifiers accept a token whose header holds a certificate that leads to one they were
//! told to trust. With this one they are told to trust the key itself: it is its own trust anchor.

use std::time::Duration;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{self, EcdsaKeyPair};
use der::asn1::{Any, BitString, ObjectIdentifier, OctetString, SetOfVec, Uint, Utf8StringRef};
use der::{DateTime, Decode as _, Encode as _, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::time::{Time, Validity as X509Validity};

use assay_types::{Digest, UnixTime, Validity};

use crate::{SigningAlgorithm, TokenError};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// The greatest length of a common name (RFC 5280, A.1, ub-common-name), in characters.
const MAX_COMMON_NAME: usize = 64;

/// RFC 5280, 4.1.2.4.
type Name = Vec<SetOfVec<AttributeTypeAndValue>>;

/// `TBSCertificate` (RFC 5280, 4.1), the members that are used here.
#[derive(Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: Uint,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: X509Validity,
    subject: Name,
    subject_public_key_info: Any,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// `Certificate` (RFC 5280, 4.1).
#[derive(Sequence)]
struct Signed {
    to_be_signed: Any,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A certificate for the key `pkcs8`, signed by itself, in DER.
///
/// It is an end entity's (`CA:FALSE`): the key signs tokens and never a certificate for another.
/// OpenSSL, alone with it in its store, accepts it (`openssl_accepts_a_self_signed_certificate_…`).
pub(crate) fn self_signed(
    algorithm: SigningAlgorithm,
    pkcs8: &[u8],
    public_key_info: &[u8],
    common_name: &str,
    validity: Validity,
) -> Result<Vec<u8>, TokenError> {
    let length = common_name.chars().count();
    if length == 0 || length > MAX_COMMON_NAME {
        return Err(refused(format!("a common name has 1 to {MAX_COMMON_NAME} characters, not {length}")));
    }
    if validity.not_after < validity.not_before {
        return Err(refused(format!("it would never be valid: {validity}")));
    }
    let (oid, signing) = match algorithm {
        SigningAlgorithm::Es256 => (ECDSA_WITH_SHA256, &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        SigningAlgorithm::Es384 => (ECDSA_WITH_SHA384, &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
    };
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8)
        .map_err(|_| TokenError::InvalidPrivateKey { algorithm: algorithm.as_str() })?;
    let signature_algorithm = AlgorithmIdentifierOwned { oid, parameters: None };
    let to_be_signed = to_be_signed(&signature_algorithm, public_key_info, common_name, validity)
        .and_then(|tbs| tbs.to_der())
        .map_err(refused)?;
    let signature = pair
        .sign(&rand::SystemRandom::new(), &to_be_signed)
        .map_err(|_| TokenError::Cryptography { operation: "signing a certificate" })?;
    let write = || {
        Signed {
            to_be_signed: Any::from_der(&to_be_signed)?,
            signature_algorithm,
            signature: BitString::from_bytes(signature.as_ref())?,
        }
        .to_der()
    };
    write().map_err(refused)
}

fn refused(why: impl ToString) -> TokenError {
    TokenError::Unserialisable { why: format!("certificate: {}", why.to_string()) }
}

fn to_be_signed(
    signature: &AlgorithmIdentifierOwned,
    public_key_info: &[u8],
    common_name: &str,
    validity: Validity,
) -> der::Result<ToBeSigned> {
    let name = name(common_name)?;
    Ok(ToBeSigned {
        version: 2, // v3
        serial_number: serial_number()?,
        signature: signature.clone(),
        issuer: name.clone(),
        validity: X509Validity::new(time(validity.not_before)?, time(validity.not_after)?),
        subject: name,
        subject_public_key_info: Any::from_der(public_key_info)?,
        extensions: extensions(public_key_info)?,
    })
}

fn name(common_name: &str) -> der::Result<Name> {
    let value = Any::encode_from(&Utf8StringRef::new(common_name)?)?;
    let mut attributes = SetOfVec::new();
    attributes.insert(AttributeTypeAndValue { oid: COMMON_NAME, value })?;
    Ok(vec![attributes])
}

/// 16 random bytes, positive and not zero (RFC 5280, 4.1.2.2).
fn serial_number() -> der::Result<Uint> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| der::ErrorKind::Failed)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Uint::new(&bytes)
}

fn time(time: UnixTime) -> der::Result<Time> {
    let seconds = u64::try_from(time.0).map_err(|_| der::ErrorKind::DateTime)?;
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::from)
}

fn extensions(public_key_info: &[u8]) -> der::Result<Vec<Extension>> {
    // RFC 7093, section 2, method 1 needs only that it identifies the key.
    let identifier: Vec<u8> = Digest::sha256(public_key_info).as_bytes().iter().copied().take(20).collect();
    Ok(vec![
        Extension {
            extn_id: BASIC_CONSTRAINTS,
            critical: true,
            // SEQUENCE {}: cA has its default, FALSE.
            extn_value: OctetString::new([0x30, 0x00])?,
        },
        Extension {
            extn_id: SUBJECT_KEY_IDENTIFIER,
            critical: false,
            extn_value: OctetString::new(OctetString::new(identifier)?.to_der()?)?,
        },
    ])
}
