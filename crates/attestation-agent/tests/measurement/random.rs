//! Random sequences of events, restarts, deaths, failures of devices and disks, torn writes.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use assay_attestation_agent::measurement::{MeasurementError, Measurements, Recovered, Step, Steps};
use proptest::prelude::*;

use crate::world::{Device, Guest, event_in};

/// What happens at the n-th step of one call.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// The agent dies. What it wrote last and did not sync is kept by so many parts of 255, and the
    /// write-ahead log may get zeros for the rest.
    Death { keep: u8, zeros: bool },
    /// The step fails.
    Failure { code: i32 },
}

#[derive(Clone, Debug)]
struct Call {
    restart: bool,
    pcr: u64,
    device: Device,
    reads: Option<u32>,
    mishap: Due,
}

fn call() -> impl Strategy<Value = Call> {
    let mishap = prop_oneof![
        (any::<u8>(), any::<bool>()).prop_map(|(keep, zeros)| Mishap::Death { keep, zeros }),
        prop::sample::select(vec![28, 5]).prop_map(|code| Mishap::Failure { code }),
    ];
    let device = prop_oneof![
        4 => Just(Device::Works),
        1 => Just(Device::Refuses),
        1 => Just(Device::FailsAfter),
        1 => Just(Device::Lies),
    ];
    let pcr = prop::sample::select(vec![8, 17]);
    (
        prop::bool::weighted(0.2),
        pcr,
        device,
        prop::option::weighted(0.2, 0u32..3),
        prop::option::weighted(0.6, (0usize..15, mishap)),
    )
        .prop_map(|(restart, pcr, device, reads, mishap)| Call { restart, pcr, device, reads, mishap })
}

/// A death, with the step before which it came.
struct Death(Step);

/// The mishap of a call, and before which of its steps it comes.
type Due = Option<(usize, Mishap)>;

/// How many steps the call has taken, and what is to come.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<(usize, Due)>>);

impl Plan {
    fn set(&self, mishap: Due) {
        *self.0.lock().unwrap() = (0, mishap);
    }
}

impl Steps for Plan {
    fn before(&self, step: Step) -> io::Result<()> {
        let due = {
            let mut plan = self.0.lock().unwrap();
            let now = plan.0;
            plan.0 += 1;
            plan.1.filter(|(at, _)| *at == now).map(|(_, mishap)| mishap)
        };
        match due {
            None => Ok(()),
            Some(Mishap::Failure { code }) => Err(io::Error::from_raw_os_error(code)),
            // Like `panic!`, without its message.
            Some(Mishap::Death { .. }) => resume_unwind(Box::new(Death(step))),
        }
    }
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Cuts a file to so many parts of what stands after `from`.
fn tear(path: &Path, from: u64, keep: u8, zeros: bool) {
    let len = len(path);
    let kept = from + (len - from) * u64::from(keep) / 255;
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(kept).unwrap();
    if zeros {
        file.set_len(len).unwrap();
    }
}

/// Runs one call that may die; `None` when it did, with what was not synced torn.
fn mortal<T>(guest: &mut Guest, call: &Call, run: impl FnOnce(&mut Guest) -> T) -> Option<T> {
    let logged = len(&guest.log_path());
    match catch_unwind(AssertUnwindSafe(|| run(guest))) {
        Ok(value) => Some(value),
        Err(panic) => {
            let Death(step) = *panic.downcast::<Death>().unwrap_or_else(|panic| resume_unwind(panic));
            let Some((_, Mishap::Death { keep, zeros })) = call.mishap else { unreachable!() };
            match step {
                Step::WalSync => tear(&guest.wal_path(), 0, keep, zeros),
                Step::RegistersSync => tear(&guest.kept_path().with_extension("new"), 0, keep, zeros),
                Step::LogSync => tear(&guest.log_path(), logged, keep, false),
                _ => {}
            }
            None
        }
    }
}

fn open(guest: &mut Guest, plan: &Plan, call: &Call) -> Option<Measurements> {
    plan.set(call.mishap);
    guest.registers.reads_until_failure.set(call.reads);
    let (measurements, recovered) = mortal(guest, call, |guest| guest.open_with(plan.clone()))?;
    assert!(!matches!(recovered, Recovered::Broken(_)), "{recovered:?}");
    Some(measurements)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn log_and_registers_agree_and_nothing_is_lost_or_there_twice(calls in prop::collection::vec(call(), 1..12)) {
        let mut guest = Guest::new();
        let plan = Plan::default();
        let mut agent: Option<Measurements> = None;
        // By number of the event: whether it must be in the log, where that is known.
        let mut told: Vec<Option<bool>> = Vec::new();
        for call in &calls {
            if call.restart || agent.is_none() {
                drop(agent.take());
                agent = open(&mut guest, &plan, call);
                continue;
            }
            let Some(mut measurements) = agent.take() else { continue };
            plan.set(call.mishap);
            guest.registers.device.set(call.device);
            guest.registers.reads_until_failure.set(call.reads);
            let event = event_in(call.pcr, format!("{:03}", told.len()));
            let answer = mortal(&mut guest, call, |guest| {
                measurements.extend(&mut guest.registers, &event)
            });
            guest.registers.device.set(Device::Works);
            told.push(match &answer {
                None | Some(Err(MeasurementError::Undecided { .. })) => None,
                Some(Ok(()) | Err(MeasurementError::NotLogged { .. })) => Some(true),
                Some(Err(MeasurementError::RegisterChanged { .. } | MeasurementError::Broken { .. })) => {
                    panic!("{answer:?}")
                }
                Some(Err(_)) => Some(false),
            });
            // Evidence replays whatever failed, as soon as the device can be read.
            guest.registers.reads_until_failure.set(None);
            if answer.is_some() {
                let settled = mortal(&mut guest, call, |guest| measurements.settle(&mut guest.registers));
                if settled.is_some() {
                    guest.replayed(measurements.log());
                    agent = Some(measurements);
                }
            }
        }
        drop(agent);
        guest.registers.reads_until_failure.set(None);
        let (measurements, _) = guest.open();
        prop_assert_eq!(measurements.log(), fs::read(guest.log_path()).unwrap());
        prop_assert!(!guest.wal_path().exists());
        let logged: Vec<usize> = guest.logged().iter().map(|content| content.parse().unwrap()).collect();
        prop_assert!(logged.is_sorted_by(|a, b| a < b), "{:?}", logged);
        for (number, told) in told.iter().enumerate() {
            if let Some(told) = told {
                prop_assert_eq!(logged.contains(&number), *told, "event {} of {:?}", number, logged);
            }
        }
    }
}
