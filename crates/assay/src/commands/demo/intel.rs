//! The demonstration for Intel TDX and SGX: a guest gets its secret, and is refused for every single
//! thing that differs. The vendor's service is a double, in a process of its own.

use std::sync::Arc;

use anyhow::Context as _;
use assay_emulator::{Emulator, Seed};
use assay_eventlog::{EventLog, boot_claims};
use assay_tee_intel::{IntelEvidence, quote_claims};
use assay_types::{Digest, HashAlgorithm, InitData, InitDataMessage, Tee};
use serde_json::{Map, Value, json};

use super::story::Story;
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::output::{self, Output};
use crate::process::ServerProcess;

pub(super) const OTHER_48: &str =
    "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const OTHER_32: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// What the guests are configured with; its digest is measured at launch.
pub(super) const INIT_DATA: &str =
    "version = \"0.1.0\"\nalgorithm = \"sha384\"\n\n[data]\n\"owner\" = \"tenant A\"\n";

/// The guests that are refused: title, and what is set in the evidence of the good one.
type Refused = &'static [(&'static str, &'static [(&'static str, &'static str)])];

const REFUSED_TDX: Refused = &[
    ("A TD in debug mode", &[("td_attributes.debug", "true")]),
    ("A platform with an outdated TCB", &[("tcb", "out-of-date")]),
    ("A platform whose PCK certificate the vendor has revoked", &[("pck_revoked", "true")]),
    (
        "A TD that measured another kernel (RTMR 1), and sends no event log",
        &[("rtmr_1", OTHER_48), ("event_log", "none")],
    ),
    ("A TD that sends a tampered event log", &[("event_log", "tampered")]),
    ("A TD with another firmware (MRTD)", &[("mr_td", OTHER_48)]),
    ("A TD launched with other init data (MRCONFIGID)", &[("mr_config_id", OTHER_48)]),
];

const REFUSED_SGX: Refused = &[
    ("An enclave in debug mode", &[("attributes.debug", "true")]),
    ("A platform with an outdated TCB", &[("tcb", "out-of-date")]),
    ("A platform whose PCK certificate the vendor has revoked", &[("pck_revoked", "true")]),
    ("Another enclave (MRENCLAVE)", &[("mr_enclave", OTHER_32)]),
    ("An enclave of another signer (MRSIGNER)", &[("mr_signer", OTHER_32)]),
    ("An enclave of an older version (ISVSVN)", &[("isv_svn", "0")]),
];

pub(super) async fn run(tee: Tee, out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(Seed::DEVELOPMENT));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;

    let seed = "00".repeat(32);
    let pcs =
        ServerProcess::run(&["emulate", "pcs", "--seed", &seed, "--listen", "127.0.0.1:0"], &[]).await?;
    let environment = [("ASSAY_LOG__LEVEL", "error"), ("ASSAY_COLLATERAL__INTEL_URL", pcs.url())];
    let data = dir.path().join("data");
    let server =
        ServerProcess::start(&data, &["--danger-trust-emulator", &roots.display().to_string()], &environment)
            .await?;
    out.line(format!("1  A server on an empty store: {}", server.url()))?;
    out.line("   It trusts an emulator's anchors, by a danger option; its tokens say so.")?;
    out.line(format!("   A double of Intel's service for collateral: {}", pcs.url()))?;

    let admin = crate::admin::client_for(server.url(), &data).await?;
    let values = reference_values(&emulator, tee)?;
    crate::admin::register(&admin, &values, None).await?;
    out.line(format!("2  Reference values for one guest: {}", names(&values)))?;
    let mut story = Story::begin(&server, &admin, out).await?;

    let result = guests(&mut story, &emulator, tee).await;
    server.stop().await?;
    pcs.stop().await?;
    result?;
    story.end(refused(tee).len())
}

fn refused(tee: Tee) -> Refused {
    if tee == Tee::Tdx { REFUSED_TDX } else { REFUSED_SGX }
}

fn names(values: &Map<String, Value>) -> String {
    values.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What the emulator's default guest meets.
pub(super) fn reference_values(emulator: &Emulator, tee: Tee) -> anyhow::Result<Map<String, Value>> {
    let evidence = emulator.evidence(tee, &[], None, &[])?.to_string();
    let evidence = IntelEvidence::parse(evidence.into_bytes().into())?;
    let mut claims = quote_claims(&evidence.quote);
    if let Some(log) = evidence.event_log {
        let log = EventLog::parse(log)?;
        let components = log.boot_components(HashAlgorithm::Sha384, 1..=3)?;
        claims.insert("boot_components".into(), boot_claims(&components, HashAlgorithm::Sha384));
    }
    let claims = Value::Object(claims);
    let at = |pointer: &str| {
        claims.pointer(pointer).cloned().with_context(|| format!("the claims have no {pointer}"))
    };
    let pointers: &[(&str, &str)] = match tee {
        Tee::Tdx => &[
            ("mr_td", "/quote/body/mr_td"),
            ("rtmr_1", "/quote/body/rtmr_1"),
            ("rtmr_2", "/quote/body/rtmr_2"),
            ("xfam", "/quote/body/xfam"),
            ("tdvfkernel", "/boot_components/kernel/0/digest"),
            ("tdvfkernelparams", "/boot_components/kernel_command_line/0/digest"),
        ],
        _ => &[
            ("sgx_mr_enclave", "/body/mr_enclave"),
            ("sgx_mr_signer", "/body/mr_signer"),
            ("sgx_isv_prod_id", "/sgx_isv_prod_id"),
            ("sgx_minimum_isv_svn", "/sgx_isv_svn"),
        ],
    };
    let value = |(name, pointer): &(&str, &str)| Ok(((*name).to_owned(), json!([at(pointer)?])));
    pointers.iter().map(value).collect()
}

/// The wanted guest, then those that are not.
async fn guests(story: &mut Story, emulator: &Arc<Emulator>, tee: Tee) -> anyhow::Result<()> {
    story
        .release(
            "A guest with these measurements attests and asks for the secret",
            configured(emulator, tee, &[])?,
        )
        .await?;
    for (title, set) in refused(tee) {
        story.refuse(title, configured(emulator, tee, set)?).await?;
    }
    Ok(())
}

/// A guest with init data.
fn configured(
    emulator: &Arc<Emulator>,
    tee: Tee,
    set: &[(&str, &str)],
) -> anyhow::Result<Arc<EmulatedGuest>> {
    let digest: Digest = InitData::from_toml(INIT_DATA)?.digest;
    let message = InitDataMessage { format: "toml".into(), body: INIT_DATA.into() };
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Arc::new(EmulatedGuest {
        emulator: Arc::clone(emulator),
        tee,
        set,
        init_data: Some((message, digest)),
    }))
}
