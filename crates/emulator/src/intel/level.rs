//! The levels that the vendor knows of emulated platforms.

use super::identity::advisory_list;
use super::tcb_info::{TcbComponent, TcbLevel, TcbLevelTcb};

/// A level of the platform by what it is worth. In the first two components of SGX and the third of TDX a
/// level has its number, 7 for the best to 1; the rest is the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcbLevelName {
    /// `UpToDate`.
    UpToDate,
    /// `SWHardeningNeeded`.
    SwHardeningNeeded,
    /// `ConfigurationNeeded`.
    ConfigurationNeeded,
    /// `ConfigurationAndSWHardeningNeeded`.
    ConfigurationAndSwHardeningNeeded,
    /// `OutOfDate`.
    OutOfDate,
    /// `OutOfDateConfigurationNeeded`.
    OutOfDateConfigurationNeeded,
    /// `Revoked`.
    Revoked,
}

/// The components of SGX that are the same in all levels, from the third on.
const SGX_TAIL: [u8; 14] = [2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
/// The least versions of the TDX module where its version is 0.
const TDX_MODULE: [u8; 2] = [5, 0];
/// The version of the provisioning certification enclave that all levels need.
const PCE_SVN: u16 = 13;

impl TcbLevelName {
    /// Every level, the best first.
    pub const ALL: [TcbLevelName; 7] = [
        TcbLevelName::UpToDate,
        TcbLevelName::SwHardeningNeeded,
        TcbLevelName::ConfigurationNeeded,
        TcbLevelName::ConfigurationAndSwHardeningNeeded,
        TcbLevelName::OutOfDate,
        TcbLevelName::OutOfDateConfigurationNeeded,
        TcbLevelName::Revoked,
    ];

    /// The status in TCB info.
    pub const fn status(self) -> &'static str {
        match self {
            TcbLevelName::UpToDate => "UpToDate",
            TcbLevelName::SwHardeningNeeded => "SWHardeningNeeded",
            TcbLevelName::ConfigurationNeeded => "ConfigurationNeeded",
            TcbLevelName::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            TcbLevelName::OutOfDate => "OutOfDate",
            TcbLevelName::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            TcbLevelName::Revoked => "Revoked",
        }
    }

    /// The name in settings: `up-to-date` and so on.
    pub const fn as_str(self) -> &'static str {
        match self {
            TcbLevelName::UpToDate => "up-to-date",
            TcbLevelName::SwHardeningNeeded => "sw-hardening-needed",
            TcbLevelName::ConfigurationNeeded => "configuration-needed",
            TcbLevelName::ConfigurationAndSwHardeningNeeded => "configuration-and-sw-hardening-needed",
            TcbLevelName::OutOfDate => "out-of-date",
            TcbLevelName::OutOfDateConfigurationNeeded => "out-of-date-configuration-needed",
            TcbLevelName::Revoked => "revoked",
        }
    }

    /// The advisories against it.
    pub const fn advisories(self) -> &'static [&'static str] {
        match self {
            TcbLevelName::UpToDate | TcbLevelName::ConfigurationNeeded => &[],
            TcbLevelName::SwHardeningNeeded | TcbLevelName::ConfigurationAndSwHardeningNeeded => {
                &["INTEL-SA-00615"]
            }
            TcbLevelName::OutOfDate => &["INTEL-SA-01036", "INTEL-SA-01079"],
            TcbLevelName::OutOfDateConfigurationNeeded => &["INTEL-SA-00960", "INTEL-SA-01036"],
            TcbLevelName::Revoked => &["INTEL-SA-00837"],
        }
    }

    /// The date of the level, RFC 3339.
    pub const fn date(self) -> &'static str {
        match self {
            TcbLevelName::UpToDate
            | TcbLevelName::SwHardeningNeeded
            | TcbLevelName::ConfigurationNeeded
            | TcbLevelName::ConfigurationAndSwHardeningNeeded => "2024-11-13T00:00:00Z",
            TcbLevelName::OutOfDate => "2024-03-13T00:00:00Z",
            TcbLevelName::OutOfDateConfigurationNeeded => "2023-08-09T00:00:00Z",
            TcbLevelName::Revoked => "2022-11-09T00:00:00Z",
        }
    }

    const fn number(self) -> u8 {
        match self {
            TcbLevelName::UpToDate => 7,
            TcbLevelName::SwHardeningNeeded => 6,
            TcbLevelName::ConfigurationNeeded => 5,
            TcbLevelName::ConfigurationAndSwHardeningNeeded => 4,
            TcbLevelName::OutOfDate => 3,
            TcbLevelName::OutOfDateConfigurationNeeded => 2,
            TcbLevelName::Revoked => 1,
        }
    }

    /// The CPUSVN of a platform of just this level.
    pub fn cpu_svn(self) -> [u8; 16] {
        let [c, d, e, f, g, h, i, j, k, l, m, n, o, p] = SGX_TAIL;
        let number = self.number();
        [number, number, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// The PCESVN of a platform of just this level.
    pub const fn pce_svn(self) -> u16 {
        PCE_SVN
    }

    /// The third component of TEE_TCB_SVN of a platform of just this level.
    pub const fn tdx_microcode(self) -> u8 {
        self.number()
    }

    /// The level in TCB info, with components of TDX or without.
    pub(super) fn to_level(self, tdx: bool) -> TcbLevel {
        let [module, version] = TDX_MODULE;
        let mut tdx_svn = [0; 16];
        let [first, second, third, ..] = &mut tdx_svn;
        (*first, *second, *third) = (module, version, self.number());
        TcbLevel {
            tcb: TcbLevelTcb {
                sgxtcbcomponents: components(self.cpu_svn(), &SGX_NAMES),
                pcesvn: PCE_SVN.into(),
                tdxtcbcomponents: tdx.then(|| components(tdx_svn, &TDX_NAMES)),
            },
            tcb_date: self.date().into(),
            tcb_status: self.status().into(),
            advisory_ids: advisory_list(self.advisories()),
        }
    }
}

type Named = (Option<&'static str>, Option<&'static str>);

const UNNAMED: Named = (None, None);
const SGX_NAMES: [Named; 8] = [
    (Some("BIOS"), Some("Early Microcode Update")),
    (Some("OS/VMM"), Some("SGX Late Microcode Update")),
    (Some("OS/VMM"), Some("TXT SINIT")),
    (Some("BIOS"), None),
    (Some("BIOS"), None),
    (Some("BIOS"), None),
    UNNAMED,
    (Some("OS/VMM"), Some("SEAMLDR ACM")),
];
const TDX_NAMES: [Named; 3] = [
    (Some("OS/VMM"), Some("TDX Module")),
    (Some("OS/VMM"), Some("TDX Module")),
    (Some("OS/VMM"), Some("TDX Late Microcode Update")),
];

fn components(svn: [u8; 16], names: &[Named]) -> Vec<TcbComponent> {
    let names = names.iter().copied().chain(std::iter::repeat(UNNAMED));
    svn.into_iter()
        .zip(names)
        .map(|(svn, (category, kind))| TcbComponent {
            svn: svn.into(),
            category: category.map(Into::into),
            kind: kind.map(Into::into),
        })
        .collect()
}
