//! The files that are there from the start.

use std::collections::BTreeMap;

use assay_types::Tee;

use crate::SimulatedGuest;

/// Where report entries are made.
pub(crate) const REPORTS: &str = "sys/kernel/config/tsm/report";
/// The registers of TDX.
pub(crate) const MEASUREMENTS: &str = "sys/devices/virtual/misc/tdx_guest/measurements";

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Directory,
    /// The directory in which the guest makes entries.
    Reports,
    File {
        content: Content,
        mode: u16,
    },
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Fixed(Vec<u8>),
    /// A register by its index; extended by writing where its mode says so.
    Register(usize),
}

/// All of them by path without a leading `/`; a directory stands before what is in it. The root is the empty path.
pub(crate) fn places(guest: &SimulatedGuest) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    let mut add = |path: &str, place: Place| {
        for (end, _) in path.match_indices('/') {
            places.entry(path.get(..end).unwrap_or_default().to_owned()).or_insert(Place::Directory);
        }
        places.insert(path.to_owned(), place);
    };
    add("", Place::Directory);
    add(REPORTS, Place::Reports);
    match guest.tee() {
        Tee::Snp => add("sys/devices/platform/sev-guest", Place::Directory),
        Tee::Tdx => {
            for (name, value) in guest.fixed_registers() {
                let content = Content::Fixed(value.to_vec());
                add(&format!("{MEASUREMENTS}/{name}"), Place::File { content, mode: 0o444 });
            }
            for index in 0..4 {
                let mode = if index < 2 { 0o444 } else { 0o644 };
                let path = format!("{MEASUREMENTS}/rtmr{index}:sha384");
                add(&path, Place::File { content: Content::Register(index), mode });
            }
            if let Some(log) = guest.ccel() {
                let content = Content::Fixed(log.to_vec());
                add("sys/firmware/acpi/tables/data/CCEL", Place::File { content, mode: 0o400 });
            }
            add("dev/tdx_guest", Place::File { content: Content::Fixed(Vec::new()), mode: 0o600 });
        }
        _ => {}
    }
    places
}
