//! This crate and dcap-qvl, which knows nothing of it, judge the same evidence: real, and the emulator's
//! with thousands of changes. They accept and reject the same, with the same status and advisories, but
//! for the disagreements that `classes.rs` names and explains.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod classes;
mod dice;
mod judges;
mod of_collateral;
mod of_guest;
mod of_lists;
#[path = "../quote_support/mod.rs"]
mod quote_support;
mod raw;
mod semantic;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use assay_emulator::IntelSilicon;
use assay_emulator::intel::Role;
use assay_tee_intel::IntelSettings;
use assay_types::{Tee, UnixTime};
use classes::{CLASSES, explain};
use dcap_qvl::verify::QuoteVerifier;
use dice::Dice;
use judges::{Judges, Trial};
use support::{settings, silicon};

const RAW: u64 = 4_000;
const SEMANTIC: u64 = 6_500;
const THREADS: usize = 2;
/// So many failures are shown.
const SHOWN: usize = 12;

#[derive(Default)]
struct Tally {
    accepted: u64,
    rejected: u64,
    classes: BTreeMap<&'static str, u64>,
    unexplained: Vec<String>,
}

impl Tally {
    fn judge(&mut self, judges: &Judges, name: &str, trial: &Trial) {
        let verdicts = judges.judge(trial);
        match explain(trial, &verdicts) {
            Ok(classes) if classes.is_empty() => match verdicts.ours {
                Ok(_) => self.accepted += 1,
                Err(_) => self.rejected += 1,
            },
            Ok(classes) => {
                for class in classes {
                    *self.classes.entry(class).or_default() += 1;
                }
            }
            Err(what) => self.unexplained.push(format!("{name}: {}\n  {what}", trial.notes.join("; "))),
        }
    }

    fn add(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.unexplained.extend(other.unexplained);
        for (class, count) in other.classes {
            *self.classes.entry(class).or_default() += count;
        }
    }
}

fn judges(silicon: &IntelSilicon, settings: &IntelSettings) -> Judges {
    Judges::new(settings, QuoteVerifier::new(silicon.authority(Role::Root).issue().unwrap()))
}

/// Judges the trials of the numbers up to `count`. A number always makes the same trial.
fn judge_all(count: u64, make: impl Fn(&IntelSilicon, u64) -> Trial + Sync) -> Tally {
    let next = AtomicU64::new(0);
    let mut whole = Tally::default();
    thread::scope(|scope| {
        let run = || {
            let (silicon, mut tally) = (silicon(), Tally::default());
            // One for all trials, so that what it remembers is part of what is judged.
            let judges = judges(&silicon, &settings());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return tally;
                }
                tally.judge(&judges, &format!("trial {number}"), &make(&silicon, number));
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            whole.add(thread.join().unwrap());
        }
    });
    whole
}

fn report(tally: &Tally, what: &str) {
    println!("{what}: {} accepted, {} rejected by both", tally.accepted, tally.rejected);
    for (class, count) in &tally.classes {
        println!("  {count:5} {class}");
    }
}

fn no_surprise(tally: &Tally, what: &str) {
    let shown: Vec<&str> = tally.unexplained.iter().take(SHOWN).map(String::as_str).collect();
    assert!(
        shown.is_empty(),
        "{} disagreements without a name, {what}; the first are\n{}",
        tally.unexplained.len(),
        shown.join("\n")
    );
}

#[test]
fn both_agree_on_mutations_of_the_emulator() {
    let changed = judge_all(SEMANTIC, |silicon, number| semantic::mutated(silicon, &mut Dice::new(number)));
    let raw = judge_all(RAW, |silicon, number| {
        let mut dice = Dice::new(!number);
        let mut trial = semantic::good(silicon, &mut dice);
        raw::mutate(&mut dice, &mut trial);
        trial
    });
    report(&changed, "content changed and signed anew");
    report(&raw, "bytes changed");
    no_surprise(&changed, "content changed and signed anew");
    no_surprise(&raw, "bytes changed");
    // Both verdicts come often, or agreement would say little.
    assert!(changed.accepted > SEMANTIC / 8 && changed.rejected > SEMANTIC / 8);
    assert!(raw.accepted > 0 && raw.rejected > RAW / 2);
    let never: Vec<&str> = CLASSES
        .iter()
        .copied()
        .filter(|class| !changed.classes.contains_key(class) && !raw.classes.contains_key(class))
        .collect();
    assert!(never.is_empty(), "these disagreements do not occur any more: {never:#?}");
}

#[test]
fn both_agree_on_real_evidence() {
    let vectors = [
        (Tee::Tdx, "tdx_quote_4.dat", "A_50806f_2023.json", 1_688_169_600),
        (Tee::Tdx, "tdx_quote_4.dat", "A_50806f_2023.json", 1_688_860_800),
        (Tee::Tdx, "cos-113-tdx-quote.dat", "C_00806f_2025.json", 1_740_787_200),
        (Tee::Tdx, "cos-113-tdx-quote.dat", "T_tdx_tcb_info_00806F050000.json", 1_750_809_600),
        (Tee::Tdx, "cos-113-tdx-quote.dat", "A_50806f_2023.json", 1_688_169_600),
        (Tee::Tdx, "tdx_quote_5.dat", "B_90c06f_2026.json", 1_771_977_600),
        (Tee::Sgx, "occlum_quote.dat", "P_azure.json", 1_684_165_303),
        (Tee::Sgx, "occlum_quote.dat", "P_azure.json", 1_784_165_303),
    ];
    let samples = [
        (Tee::Tdx, "tdx_quote", "tdx_quote_collateral.json", 1_750_809_600),
        (Tee::Sgx, "sgx_quote", "sgx_quote_collateral.json", 1_750_809_600),
        (Tee::Tdx, "tdx_quote_outdated", "tdx_quote_outdated_collateral.json", 1_771_977_600),
        (Tee::Tdx, "tdx_quote_td15ex", "tdx_quote_td15ex_collateral.json", 1_792_022_400),
    ];
    let judges = Judges::new(&IntelSettings::production(), QuoteVerifier::new_prod());
    let mut tally = Tally::default();
    for (folder, table) in
        [(quote_support::vectors(), vectors.as_slice()), (quote_support::samples(), samples.as_slice())]
    {
        let Some(folder) = folder else { continue };
        for &(tee, quote, collateral, now) in table {
            let text = std::fs::read(folder.join(collateral)).unwrap();
            let trial = Trial {
                notes: vec![quote.to_owned(), collateral.to_owned()],
                tee,
                quote: std::fs::read(folder.join(quote)).unwrap(),
                collateral: serde_json::from_slice(&text).unwrap(),
                now: UnixTime(now),
            };
            tally.judge(&judges, quote, &trial);
        }
    }
    report(&tally, "real evidence");
    no_surprise(&tally, "real evidence");
    assert!(tally.classes.is_empty(), "{:?}", tally.classes);
}
