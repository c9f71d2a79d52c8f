//! Evidence and collateral of the emulator with their content changed and everything signed anew.

use assay_emulator::intel::{COLLATERAL_VALIDITY, Collateral, IntelGuest};
use assay_emulator::{EcKey, IntelSilicon};
use assay_types::{Tee, UnixTime};
use serde_json::{Map, Value};

use crate::dice::Dice;
use crate::judges::Trial;
use crate::support::now;
use crate::{of_collateral, of_guest};

type CollateralEdit = Box<dyn FnOnce(&mut Collateral)>;
type MembersEdit = Box<dyn FnOnce(&mut Map<String, Value>)>;

/// A trial under construction.
pub(crate) struct Draft<'s> {
    pub(crate) silicon: &'s IntelSilicon,
    pub(crate) tee: Tee,
    guest: Option<IntelGuest<'static>>,
    collateral: Vec<CollateralEdit>,
    members: Vec<MembersEdit>,
    pub(crate) now: UnixTime,
    notes: Vec<String>,
}

impl Draft<'_> {
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Goes on with the guest.
    pub(crate) fn guest(&mut self, edit: impl FnOnce(IntelGuest<'static>) -> IntelGuest<'static>) {
        self.guest = self.guest.take().map(edit);
    }

    pub(crate) fn with_guest<T>(&self, look: impl FnOnce(&IntelGuest<'static>) -> T) -> T {
        look(self.guest.as_ref().unwrap())
    }

    /// Changes what is published, after the platform is settled.
    pub(crate) fn collateral(&mut self, edit: impl FnOnce(&mut Collateral) + 'static) {
        self.collateral.push(Box::new(edit));
    }

    /// Changes the members of the JSON.
    pub(crate) fn members(&mut self, edit: impl FnOnce(&mut Map<String, Value>) + 'static) {
        self.members.push(Box::new(edit));
    }

    pub(crate) fn stray(&self) -> EcKey {
        self.silicon.stray_key("a stranger")
    }

    fn finish(self) -> Trial {
        let Draft { tee, guest, collateral: edits, members: members_edits, now, notes, .. } = self;
        let guest = guest.unwrap();
        let mut collateral = guest.collateral(COLLATERAL_VALIDITY);
        for edit in edits {
            edit(&mut collateral);
        }
        let Value::Object(mut members) = collateral.to_json(tee).unwrap() else { panic!("not an object") };
        for edit in members_edits {
            edit(&mut members);
        }
        let quote = guest.without_log().build().unwrap().quote;
        Trial { notes, tee, quote, collateral: members, now }
    }
}

type Make = fn(&IntelSilicon) -> IntelGuest<'static>;

/// The kinds of quotes.
const KINDS: [(&str, Make); 6] = [
    ("TDX 1.0, version 4", |s| s.td()),
    ("TDX 1.0, version 5", |s| s.td().version(5)),
    ("TDX 1.5", |s| s.td().tdx_1_5()),
    ("SGX, version 3", |s| s.enclave()),
    ("SGX, version 4", |s| s.enclave().version(4)),
    ("SGX, version 5", |s| s.enclave().version(5)),
];

fn draft<'s>(silicon: &'s IntelSilicon, dice: &mut Dice) -> Draft<'s> {
    // The kinds that exist in the field come more often.
    let kind = dice.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
    let (name, make) = KINDS[kind];
    Draft {
        silicon,
        tee: if kind < 3 { Tee::Tdx } else { Tee::Sgx },
        guest: Some(make(silicon)),
        collateral: Vec::new(),
        members: Vec::new(),
        now: now(),
        notes: vec![name.to_owned()],
    }
}

/// Good evidence of a kind, with its collateral.
pub(crate) fn good(silicon: &IntelSilicon, dice: &mut Dice) -> Trial {
    draft(silicon, dice).finish()
}

/// One to three changes; mostly one, so that a disagreement is not hidden behind another reason.
pub(crate) fn mutated(silicon: &IntelSilicon, dice: &mut Dice) -> Trial {
    let mut draft = draft(silicon, dice);
    for _ in 0..dice.pick(&[1, 1, 1, 2, 2, 3]) {
        if dice.one_in(2) {
            of_guest::mutate(dice, &mut draft);
        } else {
            of_collateral::mutate(dice, &mut draft);
        }
    }
    draft.finish()
}
