//! TCB versions: the security version numbers of the firmware parts, packed into eight bytes.

use serde::{Deserialize, Serialize};

/// How the eight bytes of a TCB version are laid out (SEV-SNP firmware ABI, 56860, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcbLayout {
    /// Milan and Genoa: byte 0 boot loader, 1 TEE, 2 to 5 reserved, 6 SNP, 7 microcode.
    Legacy,
    /// Turin: byte 0 FMC, 1 boot loader, 2 TEE, 3 SNP, 4 to 6 reserved, 7 microcode.
    Turin,
}

impl TcbLayout {
    /// The reserved bytes: first and one past the last, counted within the eight.
    pub const fn reserved(self) -> (usize, usize) {
        match self {
            TcbLayout::Legacy => (2, 6),
            TcbLayout::Turin => (4, 7),
        }
    }
}

/// The security version numbers of the parts of the trusted computing base. The JSON form is that
/// of the `sev` crate; members are serialised in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TcbVersion {
    /// Firmware of the microcontroller FMC; on Turin only.
    pub fmc: Option<u8>,
    /// PSP boot loader.
    pub bootloader: u8,
    /// PSP operating system.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Lowest microcode patch level of all cores.
    pub microcode: u8,
}

impl TcbVersion {
    /// Reads the eight bytes. The reserved ones are not looked at here: see
    /// [`reserved_bytes`](crate::evidence::reserved_bytes).
    pub const fn from_bytes(bytes: [u8; 8], layout: TcbLayout) -> Self {
        let [b0, b1, b2, b3, _, _, b6, b7] = bytes;
        match layout {
            TcbLayout::Legacy => TcbVersion { fmc: None, bootloader: b0, tee: b1, snp: b6, microcode: b7 },
            TcbLayout::Turin => TcbVersion { fmc: Some(b0), bootloader: b1, tee: b2, snp: b3, microcode: b7 },
        }
    }

    /// Writes the eight bytes, reserved ones zero. In the legacy layout there is no room for the
    /// FMC and it is left out; in the Turin layout a missing FMC is written as zero (both as the
    /// `sev` crate does). [`Report::check_form`](crate::evidence::Report::check_form) refuses both.
    pub const fn to_bytes(self, layout: TcbLayout) -> [u8; 8] {
        let TcbVersion { fmc, bootloader, tee, snp, microcode } = self;
        match layout {
            TcbLayout::Legacy => [bootloader, tee, 0, 0, 0, 0, snp, microcode],
            TcbLayout::Turin => {
                let fmc = match fmc {
                    Some(fmc) => fmc,
                    None => 0,
                };
                [fmc, bootloader, tee, snp, 0, 0, 0, microcode]
            }
        }
    }
}

impl std::fmt::Display for TcbVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc={fmc} ")?;
        }
        write!(f, "bl={} tee={} snp={} ucode={}", self.bootloader, self.tee, self.snp, self.microcode)
    }
}
