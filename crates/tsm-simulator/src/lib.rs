//! The kernel files of a confidential guest, served by the emulator.
//!
//! Code that runs in a guest finds its platform through files: configfs-tsm for reports, sysfs for the registers
//! of TDX, ACPI's tables for the event log. Here these files stand under any directory, so that code whose device
//! root is that directory runs as it is, without hardware.
//!
//! ```text
//! sys/kernel/config/tsm/report/<name>/   all: provider generation inblob outblob
//!                                        SNP: auxblob manifestblob privlevel privlevel_floor
//!                                             service_provider service_guid service_manifest_version
//! sys/devices/platform/sev-guest/        SNP
//! sys/devices/virtual/misc/tdx_guest/measurements/   TDX: mrtd mrconfigid mrowner mrownerconfig rtmr0:sha384 …
//! sys/firmware/acpi/tables/data/CCEL     TDX, where there is an event log
//! dev/tdx_guest                          TDX, empty: its ioctls are not there
//! ```
//!
//! There are two ways of presenting them.
//!
//! - [`mount`]: a FUSE file system. Every file answers as the kernel's does, errors and order included.
//! - [`watch`]: plain files, for places without FUSE. A thread fills them in. Its module says what a reader must
//!   know; above all, registers cannot be extended there.
//!
//! ```no_run
//! use assay_emulator::Seed;
//! use assay_tsm_simulator::{SimulatedGuest, mount};
//! use assay_types::Tee;
//!
//! let guest = SimulatedGuest::new(Tee::Tdx, Seed::DEVELOPMENT, None, &[])?;
//! let mounted = mount(guest, "/tmp/guest".as_ref())?;
//! let register = std::fs::read(
//!     mounted.path().join("sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"),
//! );
//! # Ok::<(), assay_tsm_simulator::SimulatorError>(())
//! ```
//!
//! Differences from the kernel, all of them on the side of refusing or of showing more:
//! - SNP: the files of the services of an SVSM are always there; the kernel shows them only below VMPL 0.
//! - SNP: without `privlevel` a report is made for the guest's own level, where firmware would refuse level 0 of a
//!   guest that runs at another.
//! - TDX: a write of a wrong length to a register is EINVAL as a whole; the kernel takes the first 48 bytes.

mod attribute;
mod entry;
mod error;
mod faults;
mod fuse;
mod guest;
mod machine;
mod mount;
mod nodes;
mod opens;
mod place;
mod state;
mod svsm;
mod tdx;
mod tree;
mod watch;

pub use error::SimulatorError;
pub use faults::Faults;
pub use guest::{Inputs, Report, SimulatedGuest};
pub use machine::Handle;
pub use mount::{Mount, mount};
pub use place::{clear, fuse_missing};
pub use watch::{Watched, watch};
