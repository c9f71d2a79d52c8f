//! Whose signature on a CoRIM is believed.

use assay_corim::SignedCorim;
use assay_cose::{KeyError, PublicKey};
use assay_token::{CertificateTrust, TokenError};
use assay_types::{UnixTime, Validity};

use crate::ReferenceValueError;

/// The most signers that are configured.
const MAX_SIGNERS: usize = 64;

/// Whose CoRIMs are taken. The default takes none.
#[derive(Clone, Debug, Default)]
pub struct CorimSettings {
    /// Those whose signatures are believed.
    pub signers: Vec<CorimSigner>,
    /// Whether CoRIMs that nobody signed, and JSON stores of trust anchors, are taken from whoever may
    /// register. A signed CoRIM must be signed by one of `signers` all the same.
    pub danger_allow_unsigned: bool,
}

/// A signer of CoRIMs.
#[derive(Clone, Debug)]
pub struct CorimSigner {
    /// The key's name in the header (`kid`) of what it signs, where it is known. It serves for precise
    /// errors only: every key is tried.
    kid: Option<Vec<u8>>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Key(PublicKey),
    /// In DER.
    Certificate(Vec<u8>),
}

/// Why a text is no signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotASigner {
    /// Neither a key nor a certificate.
    #[error("neither a public key in PEM, nor a JWK, nor a certificate in PEM")]
    Form,
    /// The key cannot be used.
    #[error("the signer's key: {0}")]
    Key(#[from] KeyError),
    /// The certificate cannot be used.
    #[error("the signer's certificate: {0}")]
    Certificate(String),
}

impl CorimSigner {
    /// The holder of a key.
    pub fn key(key: PublicKey) -> Self {
        CorimSigner { kid: None, kind: Kind::Key(key) }
    }

    /// The holder of the key of a certificate in DER, or whoever has a certificate that it issued.
    ///
    /// # Errors
    /// [`NotASigner::Certificate`].
    pub fn certificate(der: &[u8]) -> Result<Self, NotASigner> {
        CertificateTrust::new(&[der]).map_err(|error| NotASigner::Certificate(error.to_string()))?;
        Ok(CorimSigner { kid: None, kind: Kind::Certificate(der.to_vec()) })
    }

    /// From a file: a public key in PEM (`PUBLIC KEY`), a JWK, or a certificate in PEM (`CERTIFICATE`),
    /// one of them.
    ///
    /// # Errors
    /// [`NotASigner`].
    pub fn from_text(text: &str) -> Result<Self, NotASigner> {
        if text.trim_start().starts_with('{') {
            let jwk: serde_json::Value = serde_json::from_str(text).map_err(|_| NotASigner::Form)?;
            if jwk.get("d").is_some() {
                let why = "the JWK is a private key; only the public half belongs here".to_owned();
                return Err(NotASigner::Key(KeyError::Form { why }));
            }
            let kid = jwk.get("kid").and_then(serde_json::Value::as_str).map(|kid| kid.as_bytes().to_vec());
            return Ok(CorimSigner { kid, kind: Kind::Key(PublicKey::from_jwk(&jwk)?) });
        }
        match text.matches("-----BEGIN").count() {
            1 if text.contains("-----BEGIN CERTIFICATE-----") => {
                let der = certificate_der(text).ok_or(NotASigner::Form)?;
                CorimSigner::certificate(&der)
            }
            1 if text.contains("-----BEGIN PUBLIC KEY-----") => {
                Ok(CorimSigner::key(PublicKey::from_pem(text)?))
            }
            _ => Err(NotASigner::Form),
        }
    }
}

fn certificate_der(pem: &str) -> Option<Vec<u8>> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(body).ok()
}

/// [`CorimSettings`], ready to judge.
#[derive(Debug, Default)]
pub struct CorimTrust {
    keys: Vec<(Option<Vec<u8>>, PublicKey)>,
    certificates: CertificateTrust,
    pub(crate) allow_unsigned: bool,
}

impl CorimTrust {
    /// Takes the settings.
    ///
    /// # Errors
    /// [`ReferenceValueError::Signers`].
    pub fn new(settings: CorimSettings) -> Result<Self, ReferenceValueError> {
        let refused = |detail: String| ReferenceValueError::Signers { detail };
        if settings.signers.len() > MAX_SIGNERS {
            return Err(refused(format!("{} signers; at most {MAX_SIGNERS}", settings.signers.len())));
        }
        let (mut keys, mut certificates) = (Vec::new(), Vec::new());
        for signer in settings.signers {
            match signer.kind {
                Kind::Key(key) => keys.push((signer.kid, key)),
                Kind::Certificate(der) => certificates.push(der),
            }
        }
        let certificates =
            CertificateTrust::new(&certificates).map_err(|error| refused(error.to_string()))?;
        Ok(CorimTrust { keys, certificates, allow_unsigned: settings.danger_allow_unsigned })
    }

    /// Checks that one of the signers signed the document. Returns when the signer may: always, or while
    /// the certificates are valid.
    ///
    /// # Errors
    /// [`ReferenceValueError::NoSigners`], [`UnknownSigner`](ReferenceValueError::UnknownSigner),
    /// [`BadSignature`](ReferenceValueError::BadSignature),
    /// [`SignerUntrusted`](ReferenceValueError::SignerUntrusted),
    /// [`NotValidNow`](ReferenceValueError::NotValidNow).
    pub(crate) fn check(&self, signed: &SignedCorim, now: UnixTime) -> Result<Validity, ReferenceValueError> {
        if self.keys.is_empty() && self.certificates.is_empty() {
            return Err(ReferenceValueError::NoSigners { signer: shown(&signed.meta.signer) });
        }
        // An algorithm that is missing or not supported fits no key.
        let bad =
            |error: assay_cose::CoseError| ReferenceValueError::BadSignature { detail: error.to_string() };
        let algorithm = signed.message.algorithm().map_err(bad)?;
        let fitting = || self.keys.iter().filter(|(_, key)| key.curve() == algorithm.curve());
        if fitting().any(|(_, key)| signed.message.verify(key).is_ok()) {
            return Ok(Validity::ALWAYS);
        }
        if let Some(leaf) = signed.key.x5chain.first()
            && !self.certificates.is_empty()
        {
            return self.check_certificate(leaf, signed, now);
        }
        let named = signed.key.kid.as_deref();
        match self.keys.iter().find(|(kid, _)| kid.is_some() && kid.as_deref() == named) {
            Some((_, key)) => signed.message.verify(key).map_err(bad).map(|()| Validity::ALWAYS),
            None => Err(ReferenceValueError::UnknownSigner {
                signer: shown(&signed.meta.signer),
                kid: named.map_or_else(|| "none".to_owned(), |kid| shown(&String::from_utf8_lossy(kid))),
                tried: fitting().count(),
            }),
        }
    }

    /// The signature is looked at first: of a document that was altered it says more than the chain.
    fn check_certificate(
        &self,
        leaf: &[u8],
        signed: &SignedCorim,
        now: UnixTime,
    ) -> Result<Validity, ReferenceValueError> {
        let untrusted = |detail: String| ReferenceValueError::SignerUntrusted { detail };
        let key = PublicKey::from_certificate(leaf).map_err(|error| untrusted(error.to_string()))?;
        signed
            .message
            .verify(&key)
            .map_err(|error| ReferenceValueError::BadSignature { detail: error.to_string() })?;
        self.certificates.check(leaf, now).map_err(|error| match error {
            TokenError::CertificateNotValidNow { validity, now } => {
                ReferenceValueError::NotValidNow { what: "a certificate of the signer", validity, now }
            }
            TokenError::CertificateUntrusted { why } => untrusted(why.to_owned()),
            other => untrusted(other.to_string()),
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
