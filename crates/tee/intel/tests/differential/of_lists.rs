//! Changes of revocation lists, authorities, the members of the JSON, and the time.

use assay_emulator::intel::{COLLATERAL_VALIDITY, CrlTemplate, Name, Role, pem};
use assay_types::{Tee, UnixTime};
use serde_json::Value;

use crate::dice::Dice;
use crate::of_guest::{around, certificate};
use crate::semantic::Draft;

pub(crate) fn mutate(dice: &mut Dice, draft: &mut Draft<'_>) {
    match dice.below(4) {
        0 => lists(dice, draft),
        1 => authorities(dice, draft),
        2 => members(dice, draft),
        _ => time(dice, draft),
    }
}

fn lists(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (kind, of_root, value, stray) = (dice.below(10), dice.one_in(2), dice.byte(), draft.stray());
    draft.note(format!("revocation list {kind}, of the root {of_root}, value {value}"));
    draft.collateral(move |c| {
        let ca = c.platform.ca;
        let list: &mut CrlTemplate = if of_root { &mut c.root_crl } else { c.crl_mut(ca) };
        match kind {
            0 | 1 => {
                let span = around(value);
                (list.this_update, list.next_update) = (span.not_before, Some(span.not_after));
            }
            2 => list.next_update = None,
            3 => list.broken_signature = true,
            4 => list.signer = stray,
            5 => list.issuer = Name::new("Intel SGX something"),
            6 => list.revoke(&[value, 1, 2, 3]),
            7 => list.number = list_number(value),
            8 => list.authority_key_id = vec![value; 20],
            _ => {
                list.revoke(&[7]);
                list.revoked[0].reason = [None, Some(0), Some(6), Some(8)][usize::from(value) % 4];
            }
        }
    });
}

const fn list_number(value: u8) -> u64 {
    match value % 3 {
        0 => 0,
        1 => 4_294_967_296,
        _ => 2,
    }
}

fn authorities(dice: &mut Dice, draft: &mut Draft<'_>) {
    if dice.one_in(3) {
        let role = dice.pick(&[Role::Root, Role::PlatformCa, Role::ProcessorCa, Role::TcbSigning]);
        draft.note(format!("{role:?} is revoked"));
        return draft.collateral(move |c| c.revoke_authority(role));
    }
    if dice.one_in(4) {
        draft.note("the PCK is revoked");
        return draft.guest(|guest| guest.pck_revoked(true));
    }
    let which = dice.below(4);
    let (name, edit) = certificate(dice, draft);
    draft.note(format!("{}: {name}", ["TCB signing", "TCB signing", "root", "CA"][which]));
    draft.collateral(move |c| match which {
        0 | 1 => edit(&mut c.tcb_signing),
        2 => edit(&mut c.root),
        _ => edit(&mut c.platform_ca),
    });
}

fn members(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (tee, kind) = (draft.tee, dice.below(9));
    draft.note(format!("members {kind}"));
    let other = if tee == Tee::Sgx { Tee::Tdx } else { Tee::Sgx };
    let whole = draft.with_guest(|guest| guest.collateral(COLLATERAL_VALIDITY));
    let (others, root) = (whole.to_json(other).unwrap(), whole.root.issue().unwrap());
    let processor_crl = hex::encode(whole.processor_crl.issue().unwrap());
    draft.members(move |members| {
        let copy = |members: &mut serde_json::Map<String, Value>, name: &str| {
            for (member, value) in others.as_object().unwrap() {
                if member.starts_with(name) {
                    members.insert(member.clone(), value.clone());
                }
            }
        };
        let text =
            |members: &serde_json::Map<String, Value>, name: &str| members[name].as_str().unwrap().to_owned();
        match kind {
            0 => copy(members, "tcb_info"),
            1 => copy(members, "qe_identity"),
            2 => drop(members.insert("pck_crl".into(), processor_crl.into())),
            3 => drop(members.insert("pck_crl".into(), members["root_ca_crl"].clone())),
            4 => {
                drop(members.insert("pck_crl_issuer_chain".into(), members["tcb_info_issuer_chain"].clone()))
            }
            5 => {
                let chain = text(members, "tcb_info_issuer_chain");
                let (signer, _) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
                members.insert("tcb_info_issuer_chain".into(), signer.into());
            }
            6 => {
                let chain = text(members, "qe_identity_issuer_chain") + &pem("CERTIFICATE", &root);
                members.insert("qe_identity_issuer_chain".into(), chain.into());
            }
            7 => {
                let chain = text(members, "qe_identity_issuer_chain");
                let (signer, root) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
                members.insert("qe_identity_issuer_chain".into(), format!("{root}{signer}").into());
            }
            _ => drop(members.insert("tcb_info_signature".into(), members["qe_identity_signature"].clone())),
        }
    });
}

fn time(dice: &mut Dice, draft: &mut Draft<'_>) {
    let validity = COLLATERAL_VALIDITY;
    let edge = dice.pick(&[validity.not_before, validity.not_after]);
    let now = match dice.below(4) {
        0 => UnixTime(dice.below(4_000_000_000) as i64),
        _ => edge.plus(dice.pick(&[-86_400, -1, 0, 0, 1, 86_400])),
    };
    draft.note(format!("at {now}"));
    draft.now = now;
}
