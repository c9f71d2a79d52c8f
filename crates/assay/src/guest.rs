//! An emulated guest: the emulator as the client's source of evidence.

use std::sync::Arc;

use assay_client::{EvidenceError, EvidenceProvider, KbsClient};
use assay_emulator::{Emulator, Seed};
use assay_token::jwe::KeyAlgorithm;
use assay_types::{Digest, InitData, InitDataMessage, Tee};
use async_trait::async_trait;
use serde_json::Value;

use crate::arguments;
use crate::cli::{GuestArgs, GuestKey};
use crate::clock::SystemClock;
use crate::output;

/// Gives evidence as a TEE would.
pub(crate) struct EmulatedGuest {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) tee: Tee,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) init_data: Option<(InitDataMessage, Digest)>,
}

#[async_trait]
impl EvidenceProvider for EmulatedGuest {
    fn tee(&self) -> Tee {
        self.tee
    }

    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        let emulator = Arc::clone(&self.emulator);
        let (tee, set) = (self.tee, self.set.clone());
        let digest = runtime_digest.clone();
        let init_data = self.init_data.as_ref().map(|(_, digest)| digest.clone());
        // Deriving the vendor's keys takes seconds the first time.
        tokio::task::spawn_blocking(move || {
            emulator.evidence(tee, digest.as_bytes(), init_data.as_ref(), &set)
        })
        .await
        .map_err(|error| EvidenceError::new(error.to_string()))?
        .map_err(|error| EvidenceError::new(error.to_string()))
    }

    fn init_data(&self) -> Option<InitDataMessage> {
        self.init_data.as_ref().map(|(message, _)| message.clone())
    }
}

/// The client for the guest that the command line describes.
pub(crate) fn client(args: &GuestArgs) -> anyhow::Result<KbsClient> {
    let set = args.set.iter().map(|text| arguments::field_value(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let init_data = match &args.init_data {
        Some(file) => {
            let body = output::read_text(file)?;
            let digest = InitData::from_toml(&body)?.digest;
            Some((InitDataMessage { format: "toml".into(), body }, digest))
        }
        None => None,
    };
    let guest = EmulatedGuest {
        emulator: Arc::new(Emulator::new(Seed::from_hex(&args.seed)?)),
        tee: args.emulate,
        set,
        init_data,
    };
    let mut builder = KbsClient::builder(&args.url)?
        .evidence_provider(Arc::new(guest))
        .clock(Arc::new(SystemClock))
        .key_algorithm(match args.key {
            GuestKey::P256 => KeyAlgorithm::EcdhP256,
            GuestKey::P384 => KeyAlgorithm::EcdhP384,
            GuestKey::P521 => KeyAlgorithm::EcdhP521,
            GuestKey::Rsa => KeyAlgorithm::RsaOaep256,
        });
    if let Some(file) = &args.ca_certificate {
        builder = builder.ca_certificate(&output::read(file)?)?;
    }
    Ok(builder.build()?)
}
