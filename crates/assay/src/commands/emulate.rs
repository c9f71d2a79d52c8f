//! `assay emulate`: evidence, trust anchors and endorsements from a seed.

use assay_emulator::cca::{CcaGuest, CorimKind};
use assay_emulator::intel::{COLLATERAL_VALIDITY, Channel};
use assay_emulator::{Emulator, Seed};
use assay_types::{Tee, UnixTime, Validity};
use serde_json::json;

use crate::arguments;
use crate::cli::{EmulateCommand, EndorsementForm, EndorsementKind, UpdateChannel};
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) fn run(command: &EmulateCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        EmulateCommand::Roots { seed, out: file } => {
            let anchors = Emulator::new(Seed::from_hex(seed)?).anchors();
            output::write(file, &serde_json::to_vec_pretty(&anchors)?)?;
            written(file, "trust anchors", out)
        }
        EmulateCommand::Evidence { tee, seed, report_data, init_data, set, raw, out: file } => {
            let tee: Tee = tee.parse()?;
            let emulator = Emulator::new(Seed::from_hex(seed)?);
            let (set, report_data) = (settings(set)?, arguments::hex(report_data)?);
            let init_data = arguments::init_data_digest(init_data.as_deref())?;
            let evidence = if *raw {
                emulator.raw_evidence(tee, &report_data, init_data.as_ref(), &set)?
            } else {
                serde_json::to_vec(&emulator.evidence(tee, &report_data, init_data.as_ref(), &set)?)?
            };
            output::write(file, &evidence)?;
            written(file, "evidence", out)
        }
        EmulateCommand::Endorsements { kind, form, seed, init_data, set, out: file } => {
            let init_data = arguments::init_data_digest(init_data.as_deref())?;
            let emulator = Emulator::new(Seed::from_hex(seed)?);
            let guest = emulator.cca_guest(&[], init_data.as_ref(), &settings(set)?)?;
            output::write(file, &endorsements(&guest, *kind, *form)?)?;
            written(file, "endorsements", out)
        }
        EmulateCommand::Collateral { tee, seed, set, at, next_update_seconds, channel, out: file } => {
            let tee: Tee = tee.parse()?;
            let guest = Emulator::new(Seed::from_hex(seed)?).intel_guest(tee, &[], None, &settings(set)?)?;
            let validity = match at {
                Some(at) => {
                    let issued = UnixTime::parse_rfc3339(at)?;
                    Validity { not_before: issued, not_after: issued.plus((*next_update_seconds).into()) }
                }
                None => COLLATERAL_VALIDITY,
            };
            let channel = match channel {
                UpdateChannel::Standard => Channel::Standard,
                UpdateChannel::Early => Channel::Early,
            };
            let collateral = guest.collateral(validity).channel(channel).to_json(tee)?;
            output::write(file, &serde_json::to_vec_pretty(&collateral)?)?;
            written(file, "collateral", out)
        }
        EmulateCommand::Pcs(args) => super::emulate_pcs::run(args, out),
        EmulateCommand::Guests(args) => super::emulate_guests::run(args, out),
        EmulateCommand::Vault(args) => super::emulate_vault::run(args, out),
        EmulateCommand::ConfigfsTsm(args) => super::emulate_tsm::run(args, out),
        EmulateCommand::CorimSigner { seed, jwk, out: file } => {
            let silicon = Emulator::new(Seed::from_hex(seed)?).cca();
            let key = if *jwk {
                serde_json::to_vec_pretty(&silicon.corim_signer_jwk())?
            } else {
                silicon.corim_signer_pem().into_bytes()
            };
            output::write(file, &key)?;
            written(file, "public key", out)
        }
    }
}

fn settings(set: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    set.iter().map(|text| arguments::field_value(text)).collect()
}

fn endorsements(
    guest: &CcaGuest<'_>,
    kind: EndorsementKind,
    form: EndorsementForm,
) -> anyhow::Result<Vec<u8>> {
    let kind = match (kind, form) {
        (EndorsementKind::TrustAnchor, EndorsementForm::Json) => {
            return Ok(serde_json::to_vec_pretty(&guest.trust_anchor_store())?);
        }
        (kind, EndorsementForm::Json) => {
            let mut store = guest.reference_value_store();
            let other = if kind == EndorsementKind::Platform { "realm" } else { "platform" };
            if let Some(members) = store.as_object_mut() {
                members.remove(other);
            }
            return Ok(serde_json::to_vec_pretty(&store)?);
        }
        (EndorsementKind::Platform, _) => CorimKind::Platform,
        (EndorsementKind::Realm, _) => CorimKind::Realm,
        (EndorsementKind::TrustAnchor, _) => CorimKind::TrustAnchor,
    };
    let corim = guest.corim(kind);
    Ok(if form == EndorsementForm::SignedCorim { corim.signed() } else { corim.unsigned() })
}

fn written(file: &std::path::Path, what: &str, out: Output) -> anyhow::Result<Exit> {
    if file != std::path::Path::new("-") {
        out.both(format!("{what} written to {}", file.display()), &json!({ "written": file }))?;
    }
    Ok(Exit::Success)
}
