//! How a Veraison service is spoken to.

use std::fmt;
use std::time::Duration;

use assay_token::Jwk;

/// The media type under which Veraison takes Arm CCA tokens, those of other profiles too.
pub const CCA_MEDIA_TYPE: &str = "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"";

/// Settings of a [`VeraisonClient`](crate::VeraisonClient); [`VeraisonSettings::new`] has the defaults.
#[derive(Clone)]
pub struct VeraisonSettings {
    /// Where the service is: `https://host[:port][/path]`, or `http` to a loopback address. The API
    /// is below it, at `challenge-response/v1/…`.
    pub base_url: String,
    /// The only TLS roots, PEM. Without them the system's roots count.
    pub ca_certificate: Option<Vec<u8>>,
    /// How long a connection may take to come about. 5 s.
    pub connect_timeout: Duration,
    /// How long a verification may take, from the first request to the result. 30 s.
    pub deadline: Duration,
    /// The pause before the service is asked again for a result that is not ready; it doubles, up to
    /// 2 s. 200 ms.
    pub poll_interval: Duration,
    /// The media type of the evidence. [`CCA_MEDIA_TYPE`].
    pub media_type: String,
    /// The key of attestation results. Without it the service is asked for it (discovery), and then
    /// TLS is what vouches for the key.
    pub pinned_ear_key: Option<Jwk>,
    /// After how many seconds a key that the service named is asked for again. 3600.
    pub ear_key_lifetime_seconds: u32,
    /// The longest answer that is read, in bytes. 1 MiB.
    pub max_answer_bytes: usize,
    /// How many verifications run at the same time; the others wait. 16.
    pub max_concurrent_sessions: usize,
    /// How far the service's clock may be from ours, in seconds. 60.
    pub clock_skew_seconds: u32,
    /// How long a result counts from its `iat`, in seconds; less where it has an `exp` before. 300.
    pub result_lifetime_seconds: u32,
}

impl VeraisonSettings {
    /// The defaults, for the service at `base_url`.
    pub fn new(base_url: impl Into<String>) -> Self {
        VeraisonSettings {
            base_url: base_url.into(),
            ca_certificate: None,
            connect_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            poll_interval: Duration::from_millis(200),
            media_type: CCA_MEDIA_TYPE.to_owned(),
            pinned_ear_key: None,
            ear_key_lifetime_seconds: 3600,
            max_answer_bytes: 1 << 20,
            max_concurrent_sessions: 16,
            clock_skew_seconds: 60,
            result_lifetime_seconds: 300,
        }
    }
}

impl fmt::Debug for VeraisonSettings {
    /// Without the URL, which may hold a password until it is refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VeraisonSettings")
            .field("deadline", &self.deadline)
            .field("media_type", &self.media_type)
            .field("pinned_ear_key", &self.pinned_ear_key.as_ref().map(Jwk::name))
            .finish_non_exhaustive()
    }
}
