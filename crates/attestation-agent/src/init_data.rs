//! Init data: given to the guest at launch, and compared with what the platform measured of them. Nothing is ever
//! extended or changed for them, so that any number of starts and calls gives the same.

use std::time::Instant;

use assay_attester::{Attester, InitDataBinding};
use assay_types::{Digest, HashAlgorithm, InitData};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::AgentError;

/// What the agent was given.
#[derive(Clone, Debug, PartialEq)]
pub enum InitDataSource {
    /// The text. It goes with every attestation, so that the verifier sees what the digest is of.
    Toml {
        /// The text, as it was given: the digest is of its bytes.
        text: String,
        /// Its digest, by the algorithm that it names.
        digest: Digest,
    },
    /// The digest alone.
    Digest(Digest),
}

impl InitDataSource {
    /// Takes the text (Confidential Containers "initdata" 0.1.0).
    ///
    /// # Errors
    /// [`AgentError::BadRequest`] with the reader's reason.
    pub fn from_toml(text: String) -> Result<Self, AgentError> {
        let InitData { digest, .. } =
            InitData::from_toml(&text).map_err(|e| AgentError::BadRequest(e.to_string()))?;
        Ok(InitDataSource::Toml { text, digest })
    }

    /// Takes the digest alone, in standard base64 with padding. Its length tells the algorithm: 32 bytes SHA-256, 48
    /// SHA-384, 64 SHA-512.
    ///
    /// # Errors
    /// [`AgentError::BadRequest`].
    pub fn from_digest_base64(text: &str) -> Result<Self, AgentError> {
        let bytes = STANDARD.decode(text).map_err(|e| {
            let expected = "expected standard base64 with padding";
            AgentError::BadRequest(format!("the init data's digest cannot be read: {e}; {expected}"))
        })?;
        digest_of_request(&bytes).map(InitDataSource::Digest)
    }

    /// The digest.
    pub fn digest(&self) -> &Digest {
        match self {
            InitDataSource::Toml { digest, .. } | InitDataSource::Digest(digest) => digest,
        }
    }

    /// The text, where it is known.
    pub fn text(&self) -> Option<&str> {
        match self {
            InitDataSource::Toml { text, .. } => Some(text),
            InitDataSource::Digest(_) => None,
        }
    }
}

/// Takes the bytes of a request as the digest of init data: 32 bytes SHA-256, 48 SHA-384, 64 SHA-512. Never
/// padded or cut.
///
/// # Errors
/// [`AgentError::BadRequest`] for any other number of bytes.
pub fn digest_of_request(bytes: &[u8]) -> Result<Digest, AgentError> {
    HashAlgorithm::ALL
        .into_iter()
        .find_map(|algorithm| Digest::new(algorithm, bytes.to_vec()).ok())
        .ok_or_else(|| {
            AgentError::BadRequest(format!(
                "the init data's digest has {} bytes; expected 32 (SHA-256), 48 (SHA-384) or 64 (SHA-512)",
                bytes.len()
            ))
        })
}

/// What is known of the init data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitDataState {
    /// None were given.
    None,
    /// The platform's field holds their digest.
    Bound {
        /// The field, such as `MRCONFIGID`.
        field: &'static str,
        /// The digest.
        digest: Digest,
    },
    /// The platform binds none, or cannot say from inside. Anyone who starts the guest can give it others.
    Unbound {
        /// Why, in words.
        why: String,
    },
}

/// Compares the init data with the platform's field, at the start of the agent. With `require` only bound ones
/// will do (`init_data.require_bound`).
///
/// # Errors
/// - [`AgentError::Attester`] with `InitDataMismatch` when the platform was launched with others, or with the
///   device's error when that cannot be found out.
/// - [`AgentError::InitDataUnbound`] with `require`, when there are none or nothing binds them.
pub fn check_at_start(
    attester: &mut dyn Attester,
    source: Option<&InitDataSource>,
    require: bool,
    deadline: Instant,
) -> Result<InitDataState, AgentError> {
    let state = match source {
        None => InitDataState::None,
        Some(source) => compare(attester, source.digest(), deadline)?,
    };
    match &state {
        InitDataState::None if require => Err(AgentError::InitDataUnbound {
            why: "none were given, and bound ones are asked for".to_owned(),
        }),
        InitDataState::Unbound { why } if require => Err(AgentError::InitDataUnbound {
            why: format!("{why}; `init_data.require_bound = false` lets the agent start all the same"),
        }),
        InitDataState::Unbound { why } => {
            tracing::warn!(tee = %attester.tee(), why, "the init data are not bound");
            Ok(state)
        }
        InitDataState::Bound { field, digest } => {
            tracing::info!(field, %digest, "the init data are those of the launch");
            Ok(state)
        }
        InitDataState::None => Ok(state),
    }
}

/// Answers a caller who wants init data bound: compares their digest with the platform's field.
///
/// # Errors
/// [`AgentError::Attester`] as in [`check_at_start`], and [`AgentError::InitDataUnbound`] when nothing binds them.
pub fn check_on_request(
    attester: &mut dyn Attester,
    digest: &Digest,
    deadline: Instant,
) -> Result<(), AgentError> {
    match compare(attester, digest, deadline)? {
        InitDataState::Unbound { why } => Err(AgentError::InitDataUnbound { why }),
        InitDataState::Bound { .. } | InitDataState::None => Ok(()),
    }
}

fn compare(
    attester: &mut dyn Attester,
    digest: &Digest,
    deadline: Instant,
) -> Result<InitDataState, AgentError> {
    Ok(match attester.bind_init_data(digest, deadline)? {
        InitDataBinding::Bound { field } => InitDataState::Bound { field, digest: digest.clone() },
        InitDataBinding::Unbound { why } => InitDataState::Unbound { why },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use assay_attester::{AttesterError, EvidenceRequest};
    use assay_types::Tee;
    use serde_json::Value;

    use super::*;

    const TEXT: &str = "version = \"0.1.0\"\nalgorithm = \"sha384\"\n[data]\nnote = \"hello\"\n";

    /// A platform that holds this digest, or whose field cannot be read.
    struct Platform {
        holds: Result<Digest, &'static str>,
        asked: u32,
    }

    impl Attester for Platform {
        fn tee(&self) -> Tee {
            Tee::Tdx
        }
        fn evidence(&mut self, _request: &EvidenceRequest<'_>) -> Result<Value, AttesterError> {
            panic!("no evidence is needed")
        }
        fn bind_init_data(
            &mut self,
            digest: &Digest,
            _deadline: Instant,
        ) -> Result<InitDataBinding, AttesterError> {
            self.asked += 1;
            match &self.holds {
                Ok(holds) if holds == digest => Ok(InitDataBinding::Bound { field: "MRCONFIGID" }),
                Ok(holds) => Err(AttesterError::InitDataMismatch {
                    field: "MRCONFIGID",
                    expected: digest.to_hex(),
                    found: holds.to_hex(),
                }),
                Err(why) => Ok(InitDataBinding::Unbound { why: (*why).to_owned() }),
            }
        }
    }

    fn platform(holds: Result<Digest, &'static str>) -> Platform {
        Platform { holds, asked: 0 }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_text_gives_the_digest_by_its_own_algorithm() {
        let source = InitDataSource::from_toml(TEXT.to_owned()).unwrap();
        assert_eq!(source.digest(), &Digest::sha384(TEXT.as_bytes()));
        assert_eq!(source.text(), Some(TEXT));
        let sha256 = TEXT.replace("sha384", "sha256");
        let source = InitDataSource::from_toml(sha256.clone()).unwrap();
        assert_eq!(source.digest(), &Digest::sha256(sha256.as_bytes()));
        let error = InitDataSource::from_toml(TEXT.replace("sha384", "sha-384")).unwrap_err();
        assert!(error.to_string().contains("sha-384"), "{error}");
    }

    #[test]
    fn a_bare_digest_tells_its_algorithm_by_its_length() {
        for algorithm in HashAlgorithm::ALL {
            let digest = algorithm.digest(b"x");
            let source = InitDataSource::from_digest_base64(&STANDARD.encode(digest.as_bytes())).unwrap();
            assert_eq!((source.digest(), source.text()), (&digest, None));
        }
        for len in [0, 1, 20, 31, 33, 47, 49, 63, 65, 128] {
            let error = digest_of_request(&vec![7; len]).unwrap_err();
            assert!(error.to_string().contains(&format!("has {len} bytes")), "{error}");
        }
        let unpadded = STANDARD.encode([0xfb; 32]).replace('=', "");
        for text in [unpadded, STANDARD.encode([0xfb; 48]).replace('+', "-"), "?".to_owned()] {
            let error = InitDataSource::from_digest_base64(&text).unwrap_err();
            assert!(error.to_string().contains("standard base64"), "{text}: {error}");
        }
    }

    #[test]
    fn bound_ones_are_compared_as_often_as_one_likes() {
        let source = InitDataSource::from_toml(TEXT.to_owned()).unwrap();
        let mut tee = platform(Ok(source.digest().clone()));
        for require in [false, true, true] {
            let state = check_at_start(&mut tee, Some(&source), require, soon()).unwrap();
            let digest = source.digest().clone();
            assert_eq!(state, InitDataState::Bound { field: "MRCONFIGID", digest });
        }
        check_on_request(&mut tee, source.digest(), soon()).unwrap();
        assert_eq!(tee.asked, 4);
    }

    #[test]
    fn others_are_an_error_whether_or_not_they_are_required() {
        let source = InitDataSource::from_toml(TEXT.to_owned()).unwrap();
        let mut tee = platform(Ok(Digest::sha384(b"others")));
        for require in [false, true] {
            let error = check_at_start(&mut tee, Some(&source), require, soon()).unwrap_err();
            let AgentError::Attester(AttesterError::InitDataMismatch { found, .. }) = error else {
                panic!("{error}")
            };
            assert_eq!(found, Digest::sha384(b"others").to_hex());
        }
        assert!(check_on_request(&mut tee, source.digest(), soon()).is_err());
    }

    #[test]
    fn unbound_ones_are_reported_and_refused_where_bound_ones_are_required() {
        let source = InitDataSource::from_toml(TEXT.to_owned()).unwrap();
        let mut tee = platform(Err("no field"));
        assert_eq!(
            check_at_start(&mut tee, Some(&source), false, soon()).unwrap(),
            InitDataState::Unbound { why: "no field".to_owned() }
        );
        let refused = [
            check_at_start(&mut tee, Some(&source), true, soon()).unwrap_err(),
            check_on_request(&mut tee, source.digest(), soon()).unwrap_err(),
        ];
        for error in refused {
            assert!(
                matches!(&error, AgentError::InitDataUnbound { why } if why.starts_with("no field")),
                "{error}"
            );
        }
    }

    #[test]
    fn without_any_the_platform_is_not_asked() {
        let mut tee = platform(Err("no field"));
        assert_eq!(check_at_start(&mut tee, None, false, soon()).unwrap(), InitDataState::None);
        let error = check_at_start(&mut tee, None, true, soon()).unwrap_err();
        assert!(matches!(error, AgentError::InitDataUnbound { .. }), "{error}");
        assert_eq!(tee.asked, 0);
    }
}
