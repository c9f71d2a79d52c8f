//! Changes of what the vendor publishes: TCB info and identities.

use assay_emulator::intel::{AfterSigning, Collateral, EnclaveTcbLevel, SignedJson, TdxModule};
use assay_types::Tee;

use crate::dice::Dice;
use crate::of_guest::around;
use crate::of_lists;
use crate::semantic::Draft;

const STATUSES: [&str; 11] = [
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
    "UpToDate",
    "OutOfDate",
    "TDRelaunchAdvised",
    "Splendid",
];

pub(crate) fn mutate(dice: &mut Dice, draft: &mut Draft<'_>) {
    match dice.below(12) {
        0..=2 => tcb_info(dice, draft),
        3 | 4 => module(dice, draft),
        5 | 6 => identity(dice, draft),
        7 => after_signing(dice, draft),
        _ => of_lists::mutate(dice, draft),
    }
}

fn info(collateral: &mut Collateral, tee: Tee) -> &mut SignedJson<assay_emulator::intel::TcbInfo> {
    if tee == Tee::Sgx { &mut collateral.sgx_tcb_info } else { &mut collateral.tdx_tcb_info }
}

fn enclave(collateral: &mut Collateral, tee: Tee) -> &mut SignedJson<assay_emulator::intel::Identity> {
    if tee == Tee::Sgx { &mut collateral.qe_identity } else { &mut collateral.td_qe_identity }
}

fn tcb_info(dice: &mut Dice, draft: &mut Draft<'_>) {
    let tee = draft.tee;
    let (kind, seed) = (dice.below(15), dice.next());
    draft.note(format!("TCB info {kind}, seed {seed}"));
    draft.collateral(move |c| {
        let info = &mut info(c, tee).content;
        let mut dice = Dice::new(seed);
        if info.tcb_levels.is_empty() {
            return;
        }
        let at = dice.below(info.tcb_levels.len());
        let first = if dice.one_in(2) { 0 } else { at };
        match kind {
            0 => dice.shuffle(&mut info.tcb_levels),
            1 => drop(info.tcb_levels.remove(first)),
            2 | 3 => info.tcb_levels[first].tcb_status = dice.pick(&STATUSES).to_owned(),
            4 => info.tcb_levels[first].tcb.pcesvn = dice.pick(&[0, 13, 14, 65_535, 65_536]),
            5 => {
                info.tcb_levels[first].tcb.sgxtcbcomponents[dice.below(16)].svn =
                    dice.pick(&[0, 1, 8, 255, 256])
            }
            6 => {
                let more = ["INTEL-SA-00001", "INTEL-SA-00615"].map(str::to_owned).to_vec();
                info.tcb_levels[first].advisory_ids = dice.pick(&[None, Some(more), Some(Vec::new())]);
            }
            7 => info.tcb_evaluation_data_number = dice.pick(&[0, 1, 17, 4_294_967_296]),
            8 => {
                let span = around(dice.byte());
                (info.issue_date, info.next_update) =
                    (span.not_before.to_string(), span.not_after.to_string());
            }
            9 => match dice.below(5) {
                0 => info.fmspc = info.fmspc.to_ascii_lowercase(),
                1 => info.fmspc = "00906ED50000".to_owned(),
                2 => info.fmspc = "00906ED5".to_owned(),
                3 => info.pce_id = "0001".to_owned(),
                _ => info.pce_id = "00".to_owned(),
            },
            10 => info.version = dice.pick(&[1, 2, 3, 4]),
            11 => info.id = dice.pick(&["SGX", "TDX", "TXT"]).to_owned(),
            _ => match dice.below(3) {
                0 => info.tcb_type = 1,
                1 => info.tcb_levels.clear(),
                _ => {
                    let level = &mut info.tcb_levels[first].tcb;
                    if let Some(components) = &mut level.tdxtcbcomponents {
                        components[dice.below(16)].svn = dice.pick(&[0, 1, 5, 8, 255]);
                    } else {
                        drop(level.sgxtcbcomponents.pop());
                    }
                }
            },
        }
    });
}

fn module(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (kind, seed) = (dice.below(9), dice.next());
    draft.note(format!("TDX modules {kind}, seed {seed}"));
    draft.collateral(move |c| {
        let info = &mut c.tdx_tcb_info.content;
        let mut dice = Dice::new(seed);
        let Some(identities) = &mut info.tdx_module_identities else { return };
        if identities.is_empty() {
            return;
        }
        let at = dice.below(identities.len());
        match kind {
            0 => drop(identities.remove(at)),
            1 => {
                identities[at].id =
                    dice.pick(&["TDX_01", "TDX_03", "TDX_02", "tdx_01", "TDX_1", "TDX_001"]).to_owned()
            }
            2 => identities[at].mrsigner = "01".repeat(48),
            3 => {
                identities[at].attributes = dice.pick(&["00".repeat(8), "01".repeat(8)]);
                identities[at].attributes_mask = dice.pick(&["00".repeat(8), "FE".repeat(8), "FF".repeat(7)]);
            }
            4 | 5 => levels(&mut dice, &mut identities[at].tcb_levels),
            6 => info.tdx_module_identities = dice.pick(&[None, Some(Vec::new())]),
            7 => info.tdx_module = None,
            _ => {
                info.tdx_module = Some(TdxModule {
                    mrsigner: dice.pick(&["00", "02"]).repeat(48),
                    attributes: "00".repeat(8),
                    attributes_mask: dice.pick(&["00", "FF"]).repeat(8),
                });
            }
        }
    });
    if draft.tee == Tee::Tdx && dice.one_in(2) {
        // Looks at the mask and at modules that the platform's level covers.
        let (bit, version) = (dice.below(64), dice.pick(&[0, 1, 3]));
        draft.note(format!("module version {version}, SEAM attribute {bit}"));
        let attribute = dice.one_in(2);
        draft.guest(|guest| {
            guest.td_report(|r| {
                r.tee_tcb_svn[1] = version;
                if attribute {
                    r.seam_attributes[bit / 8] |= 1 << (bit % 8);
                }
            })
        });
    }
}

fn levels(dice: &mut Dice, levels: &mut Vec<EnclaveTcbLevel>) {
    if levels.is_empty() {
        return;
    }
    let at = if dice.one_in(2) { 0 } else { dice.below(levels.len()) };
    match dice.below(6) {
        0 | 1 => dice.shuffle(levels),
        2 => drop(levels.remove(at)),
        3 => levels.clear(),
        4 => levels[at].tcb_status = dice.pick(&STATUSES).to_owned(),
        _ => {
            levels[at].tcb.isvsvn = dice.pick(&[0, 3, 5, 200, 300, 300, 300]);
            levels[at].advisory_ids = Some(vec!["INTEL-SA-00002".to_owned()]);
        }
    }
}

fn identity(dice: &mut Dice, draft: &mut Draft<'_>) {
    let tee = draft.tee;
    let (kind, seed) = (dice.below(10), dice.next());
    draft.note(format!("identity {kind}, seed {seed}"));
    draft.collateral(move |c| {
        let identity = &mut enclave(c, tee).content;
        let mut dice = Dice::new(seed);
        match kind {
            0..=3 => levels(&mut dice, &mut identity.tcb_levels),
            4 => {
                let span = around(dice.byte());
                (identity.issue_date, identity.next_update) =
                    (span.not_before.to_string(), span.not_after.to_string());
            }
            5 => identity.version = dice.pick(&[1, 2, 3, 4]),
            6 => identity.id = dice.pick(&["QE", "TD_QE", "QVE"]).to_owned(),
            7 => {
                identity.attributes_mask = dice.pick(&["00".repeat(16), "FF".repeat(16), "FB".repeat(15)]);
                identity.miscselect_mask = dice.pick(&["00000000", "FFFFFFFF", "FEFFFFFF"]).to_owned();
            }
            8 => {
                identity.miscselect = dice.pick(&["00000000", "01000000", "00000001"]).to_owned();
                identity.attributes = dice.pick(&["11", "13"]).to_owned() + &"00".repeat(15);
            }
            _ => match dice.below(3) {
                0 => identity.mrsigner = identity.mrsigner.to_ascii_lowercase(),
                1 => identity.isvprodid = dice.pick(&[0, 1, 2, 65_536]),
                _ => identity.tcb_evaluation_data_number = dice.pick(&[0, 17, 4_294_967_296]),
            },
        }
    });
    if dice.one_in(2) {
        let any = dice.below(7);
        let of_masks = kind == 7 || kind == 8;
        let (kind, svn) = (if of_masks { 1 } else { dice.below(3) }, dice.below(10) as u16);
        let bit = if of_masks { dice.pick(&[1, 1, any]) } else { any };
        draft.note(format!("quoting enclave {kind}: bit {bit}, ISVSVN {svn}"));
        draft.guest(|guest| {
            guest.qe_report(move |r| match kind {
                0 => r.isv_svn = svn,
                1 => r.flags ^= 1 << bit,
                _ => r.misc_select ^= 1 << bit,
            })
        });
    }
}

fn after_signing(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (tee, stray) = (draft.tee, draft.stray());
    let (kind, of_info) = (dice.below(7), dice.one_in(2));
    draft.note(format!("after signing {kind}, TCB info {of_info}"));
    let text = move |text: String| match kind {
        2 => text.replacen('{', "{ \n", 1),
        3 => text.replacen('{', "{\"unknown\":[{}],", 1),
        4 => text.replacen('{', "{\"version\":3,", 1),
        _ => text.replacen("\"version\"", "\"Version\"", 1),
    };
    draft.collateral(move |c| {
        let after = if kind == 0 { AfterSigning::BrokenSignature } else { AfterSigning::Reserialised };
        let (info, identity) = match tee {
            Tee::Sgx => (&mut c.sgx_tcb_info, &mut c.qe_identity),
            _ => (&mut c.tdx_tcb_info, &mut c.td_qe_identity),
        };
        match (kind, of_info) {
            (0 | 1, true) => info.after = after,
            (0 | 1, false) => identity.after = after,
            (6, true) => info.signer = stray,
            (6, false) => identity.signer = stray,
            (_, true) => info.edit_text(text),
            (_, false) => identity.edit_text(text),
        }
    });
}
