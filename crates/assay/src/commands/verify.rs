//! `assay verify`: a file of evidence, offline.

use std::path::{Path, PathBuf};

use assay_attestation_service::{Registry, TrustSettings};
use assay_tee_cca::endorsement::{Endorsement, read_file};
use assay_tee_cca::{CcaSettings, rejected_layers};
use assay_tee_intel::IntelSettings;
use assay_tee_snp::{CrlPolicy, SnpSettings, VmplPolicy};
use assay_types::{
    AnchorsFile, Authenticated, Binding, Clock as _, CollateralItem, CollateralKind, CollateralOrigin,
    CollateralSet, EndorsedAppraisal, Finding, InitData, Outcome, RawEvidence, Tee, TrustTier, UnixTime,
    VerifyError,
};
use serde_json::{Map, Value, json};

use crate::cli::VerifyArgs;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::file_values::FileValues;
use crate::output::{self, Output};

/// The most files that collateral folders may hold together.
const MAX_COLLATERAL: usize = 256;

pub(crate) fn run(args: &VerifyArgs, out: Output) -> anyhow::Result<Exit> {
    let Ok(tee) = args.tee.parse::<Tee>() else {
        return unsupported(&args.tee, &format!("{:?} is not the name of a TEE", args.tee), out);
    };
    let anchors = match &args.anchors {
        Some(file) => Some(AnchorsFile::from_json(&output::read(file)?)?),
        None => None,
    };
    let settings = TrustSettings {
        allow_sample: anchors.as_ref().is_some_and(|file| file.anchors.contains_key(&Tee::Sample)),
        emulated_anchors: anchors,
        snp: SnpSettings {
            vmpl: VmplPolicy::only(&args.allowed_vmpl),
            crl: if args.require_crl { CrlPolicy::Required } else { CrlPolicy::IfPresent },
            ..SnpSettings::production()
        },
        intel: IntelSettings {
            minimum_evaluation_number: args.minimum_evaluation_number,
            ..IntelSettings::production()
        },
        cca: CcaSettings {
            allow_test_keys: args.danger_allow_test_keys,
            strict_lengths: args.strict_lengths,
            ..CcaSettings::production()
        },
    };
    let registry = Registry::new(settings)?;
    let Some(verifier) = registry.get(tee) else {
        let taken = registry.tees().map(Tee::as_str).collect::<Vec<_>>().join(", ");
        return unsupported(
            tee.as_str(),
            &format!("no verifier for {tee} is in force; there are {taken}"),
            out,
        );
    };
    let binding = Binding {
        report_data: args.report_data.as_deref().map(crate::arguments::hex).transpose()?,
        init_data: match &args.init_data {
            Some(file) => Some(InitData::from_toml(&output::read_text(file)?)?.digest),
            None => None,
        },
    };
    let now = match &args.at {
        Some(text) => UnixTime::parse_rfc3339(text)?,
        None => SystemClock.now(),
    };
    let evidence = RawEvidence::new(tee, output::read(&args.evidence)?);
    let collateral = collateral(&args.collateral)?;
    anyhow::ensure!(
        args.endorsements.is_empty() || tee == Tee::Cca,
        "--endorsements are for cca; reference values of {tee} are for `assay policy eval`"
    );
    let endorsements = match args.endorsements.as_slice() {
        [] => None,
        files => Some(endorsements(files, now)?),
    };
    let result = verifier.parse(&evidence).and_then(|parsed| parsed.verify(&binding, &collateral, now));
    match result {
        Ok(genuine) => accepted(tee, genuine, endorsements.as_ref(), now, out),
        Err(error) => refused(tee, &error, endorsements.is_some(), out),
    }
}

/// Reference values out of files. The trust anchors in them do not count: those are collateral.
fn endorsements(files: &[PathBuf], now: UnixTime) -> anyhow::Result<FileValues> {
    let mut values = FileValues::default();
    for file in files {
        let read = read_file(&output::read(file)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
        anyhow::ensure!(read.validity.contains(now), "{}: it is valid {}", file.display(), read.validity);
        for named in read.endorsements {
            if !matches!(named.endorsement, Endorsement::TrustAnchor(_)) {
                let value = named.endorsement.to_value();
                values.0.extend(named.names().into_iter().map(|name| (name, value.clone())));
            }
        }
    }
    Ok(values)
}

/// `{"<layer>": {"vector", "status"}, …, "findings": […]}`, and what policies see besides.
fn appraisal(layers: EndorsedAppraisal, out: Output) -> anyhow::Result<Value> {
    let mut json = layers.to_claims();
    for layer in &layers.layers {
        let status = layer.trust_vector.status();
        out.line(format!("{:<9}{} {status}", layer.layer, tier_mark(status)))?;
    }
    let findings: Vec<Finding> = layers.findings.into_iter().map(|reason| reason.finding).collect();
    out.line(output::findings(&findings).trim_end())?;
    json.insert("findings".into(), json!(findings));
    Ok(Value::Object(json))
}

fn add(result: &mut Value, appraisal: Value) {
    if let Some(members) = result.as_object_mut() {
        members.insert("appraisal".into(), appraisal);
    }
}

fn accepted(
    tee: Tee,
    genuine: Vec<Authenticated>,
    endorsements: Option<&FileValues>,
    now: UnixTime,
    out: Output,
) -> anyhow::Result<Exit> {
    for authenticated in genuine {
        let (facts, findings) = authenticated.into_parts();
        let mut claims = facts.claims;
        for (name, value) in [("report_data", facts.report_data), ("init_data", facts.init_data)] {
            if let Some(value) = value {
                claims.insert(name.into(), Value::String(value));
            }
        }
        let passed = findings.iter().filter(|f| f.outcome == Outcome::Passed).count();
        out.line(format!(
            "accepted: genuine {tee} evidence{}",
            if facts.emulated { " of an EMULATOR, not of hardware" } else { "" }
        ))?;
        out.line(format!("  {passed} checks hold; valid {}", facts.validity))?;
        for item in &facts.collateral {
            out.line(format!("  rests on {} ({})", item.name, item.digest))?;
        }
        out.line(output::findings(&findings).trim_end())?;
        out.line(serde_json::to_string_pretty(&claims)?)?;
        let mut result = json!({
            "accepted": true,
            "tee": tee,
            "class": facts.class,
            "emulated": facts.emulated,
            "validity": facts.validity,
            "claims": claims,
            "collateral": facts.collateral,
            "findings": findings,
        });
        if let (Some(appraiser), Some(values)) = (&facts.appraiser, endorsements) {
            out.line("appraisal")?;
            add(&mut result, appraisal(appraiser.appraise(values, now), out)?);
        }
        out.value(&result)?;
    }
    Ok(Exit::Success)
}

fn refused(tee: Tee, error: &VerifyError, appraise: bool, out: Output) -> anyhow::Result<Exit> {
    let (word, exit) = match error {
        VerifyError::Malformed(_) => ("malformed", Exit::Malformed),
        VerifyError::Unsupported(_) => ("unsupported", Exit::Unsupported),
        VerifyError::Rejected(_) => ("rejected", Exit::Rejected),
    };
    out.line(format!("{word}: {tee} evidence"))?;
    out.line(output::findings(error.findings()).trim_end())?;
    let mut result = report(tee.as_str(), word, error.findings());
    if appraise {
        let layers = rejected_layers(error.findings());
        let layers = EndorsedAppraisal { layers, ..EndorsedAppraisal::default() };
        add(&mut result, appraisal(layers, out)?);
    }
    out.value(&result)?;
    Ok(exit)
}

fn unsupported(tee: &str, detail: &str, out: Output) -> anyhow::Result<Exit> {
    out.line(format!("unsupported: {detail}"))?;
    let finding = json!({
        "code": "AS-004", "outcome": "failed", "expected": "", "found": tee, "detail": detail,
    });
    out.value(&json!({
        "accepted": false, "tee": tee, "outcome": "unsupported", "claims": {}, "findings": [finding],
    }))?;
    Ok(Exit::Unsupported)
}

fn report(tee: &str, outcome: &str, findings: &[Finding]) -> Value {
    json!({
        "accepted": false, "tee": tee, "outcome": outcome, "claims": Map::new(), "findings": findings,
    })
}

/// The files given, and the files of the folders given (not of folders in them), in order of name.
fn collateral(paths: &[PathBuf]) -> anyhow::Result<CollateralSet> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let entry = entry?.path();
                if entry.is_file() {
                    inside.push(entry);
                }
            }
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    anyhow::ensure!(
        files.len() <= MAX_COLLATERAL,
        "{} files of collateral; at most {MAX_COLLATERAL}",
        files.len()
    );
    let items = files.iter().map(|file| item(file)).collect::<anyhow::Result<_>>()?;
    Ok(CollateralSet { items })
}

fn item(file: &Path) -> anyhow::Result<CollateralItem> {
    Ok(CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: output::read(file)?.into(),
        origin: CollateralOrigin::File(file.display().to_string()),
    })
}

/// The colourless mark of a tier, for people.
pub(crate) fn tier_mark(tier: TrustTier) -> &'static str {
    match tier {
        TrustTier::Affirming => "✓",
        TrustTier::None => "–",
        TrustTier::Warning => "!",
        TrustTier::Contraindicated => "✗",
    }
}
