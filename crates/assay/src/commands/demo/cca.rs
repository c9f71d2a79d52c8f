//! The demonstration for Arm CCA: a realm gets its secret when platform and realm match what was
//! endorsed, and is refused for every single thing that does not.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use assay_client::{EvidenceError, EvidenceProvider};
use assay_emulator::cca::CorimKind;
use assay_emulator::{Emulator, Seed};
use assay_types::{Digest, Tee};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::story::{Story, guest, shortened};
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::output::{self, Output};
use crate::process::ServerProcess;

/// The platform whose endorsements are registered, and another one.
const SEEDS: [Seed; 2] = [Seed::DEVELOPMENT, Seed::new([0x77; 32])];

/// A guest that is refused: title, and what is set in the evidence of the good one.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    ("A platform in debug (lifecycle 0x5000)", &[("lifecycle", "0x5000")]),
    (
        "Another firmware measurement",
        &[("component.2.measurement", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    (
        "Firmware signed by somebody else",
        &[("component.2.signer-id", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    ("Another realm image", &[("rim", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")]),
    (
        "A realm that measured something while it ran",
        &[("rem1", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    ("Another personalization value", &[("rpv", "5a")]),
    (
        "A good realm token on the token of another platform",
        &[("splice", "7777777777777777777777777777777777777777777777777777777777777777")],
    ),
];

pub(crate) async fn run(out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(SEEDS[0].clone()));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;
    let signer = dir.path().join("endorser.pem");
    output::write(&signer, emulator.cca().corim_signer_pem().as_bytes())?;

    let data = dir.path().join("data");
    let options = [
        "--danger-trust-emulator",
        &roots.display().to_string(),
        "--corim-signer",
        &signer.display().to_string(),
    ];
    let server = ServerProcess::start(&data, &options, &[("ASSAY_LOG__LEVEL", "error")]).await?;
    out.line(format!("1  A server on an empty store: {}", server.url()))?;
    out.line("   It trusts an emulator's anchors, by a danger option; its tokens say so.")?;

    let admin = crate::admin::client_for(server.url(), &data).await?;
    let good = emulator.cca_guest(&[], None, &[])?;
    for kind in [CorimKind::TrustAnchor, CorimKind::Platform, CorimKind::Realm] {
        let corim = BASE64_STANDARD.encode(good.corim(kind).signed());
        let message = json!({ "version": "0.1.0", "type": "corim", "payload": corim });
        admin.register_reference_values(&message).await?;
    }
    out.line("2  Three CoRIMs, signed by the endorser: attestation key, firmware, realm")?;
    for value in admin.reference_values().await?.as_array().into_iter().flatten() {
        let name = value.get("id").and_then(Value::as_str).unwrap_or_default();
        out.line(format!("   {}", shortened(name, 88)))?;
    }
    let mut story = Story::begin(&server, &admin, out).await?;

    let result = guests(&mut story, &emulator).await;
    server.stop().await?;
    result?;
    story.end(REFUSED.len() + 2)
}

/// The wanted realm, then those that are not.
async fn guests(story: &mut Story, emulator: &Arc<Emulator>) -> anyhow::Result<()> {
    let recorder = Arc::new(Recorder::new(guest(emulator, Tee::Cca, &[])));
    let title = "A realm with that image, on that platform, attests and asks for the secret";
    story.release(title, recorder.clone()).await?;
    let stranger = Arc::new(Emulator::new(SEEDS[1].clone()));
    story.refuse("A platform that nobody endorsed", guest(&stranger, Tee::Cca, &[])).await?;
    for (title, set) in REFUSED {
        story.refuse(title, guest(emulator, Tee::Cca, set)).await?;
    }
    story.refuse("The first realm's evidence, once more", Arc::new(Replay(recorder.recorded()?))).await
}

/// Keeps the evidence that a guest gave, as somebody who listens would.
struct Recorder {
    guest: Arc<EmulatedGuest>,
    evidence: Mutex<Option<Value>>,
}

impl Recorder {
    fn new(guest: Arc<EmulatedGuest>) -> Self {
        Recorder { guest, evidence: Mutex::new(None) }
    }

    fn recorded(&self) -> anyhow::Result<Value> {
        let evidence = self.evidence.lock().ok().and_then(|evidence| evidence.clone());
        evidence.context("the first realm gave no evidence")
    }
}

#[async_trait]
impl EvidenceProvider for Recorder {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        let evidence = self.guest.evidence(runtime_digest).await?;
        if let Ok(mut kept) = self.evidence.lock() {
            *kept = Some(evidence.clone());
        }
        Ok(evidence)
    }
}

/// Gives evidence that was made for another challenge.
struct Replay(Value);

#[async_trait]
impl EvidenceProvider for Replay {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    async fn evidence(&self, _runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        Ok(self.0.clone())
    }
}
