//! TCB statuses and how they are put together.

use std::fmt;

/// The status of a TCB level, by Intel's names (PCS API v4, `tcbStatus`; the two about a relaunch are
/// results of an evaluation, in no document).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcbStatus {
    /// All is as new as Intel asks.
    UpToDate,
    /// New enough, but software in the TEE should work around a weakness.
    SwHardeningNeeded,
    /// New enough, but the platform's configuration may expose it.
    ConfigurationNeeded,
    /// Both of the former.
    ConfigurationAndSwHardeningNeeded,
    /// Older than Intel asks.
    OutOfDate,
    /// Older than Intel asks, and the configuration may expose it.
    OutOfDateConfigurationNeeded,
    /// The TD was launched on an outdated TCB that has been updated under it since.
    TdRelaunchAdvised,
    /// The same, and the platform's configuration may expose it.
    TdRelaunchAdvisedConfigurationNeeded,
    /// Not to be trusted at all.
    Revoked,
}

impl TcbStatus {
    /// Every status.
    pub const ALL: [TcbStatus; 9] = [
        TcbStatus::UpToDate,
        TcbStatus::SwHardeningNeeded,
        TcbStatus::ConfigurationNeeded,
        TcbStatus::ConfigurationAndSwHardeningNeeded,
        TcbStatus::OutOfDate,
        TcbStatus::OutOfDateConfigurationNeeded,
        TcbStatus::TdRelaunchAdvised,
        TcbStatus::TdRelaunchAdvisedConfigurationNeeded,
        TcbStatus::Revoked,
    ];

    /// Intel's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            TcbStatus::UpToDate => "UpToDate",
            TcbStatus::SwHardeningNeeded => "SWHardeningNeeded",
            TcbStatus::ConfigurationNeeded => "ConfigurationNeeded",
            TcbStatus::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            TcbStatus::OutOfDate => "OutOfDate",
            TcbStatus::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            TcbStatus::TdRelaunchAdvised => "TDRelaunchAdvised",
            TcbStatus::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            TcbStatus::Revoked => "Revoked",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        TcbStatus::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the TCB is older than Intel asks.
    pub const fn is_out_of_date(self) -> bool {
        matches!(self, TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded)
    }

    const fn asks_for_configuration(self) -> bool {
        matches!(
            self,
            TcbStatus::ConfigurationNeeded
                | TcbStatus::ConfigurationAndSwHardeningNeeded
                | TcbStatus::OutOfDateConfigurationNeeded
                | TcbStatus::TdRelaunchAdvisedConfigurationNeeded
        )
    }

    /// The platform's status together with that of a part of it, the quoting enclave or the TDX
    /// module (Intel quote verification library, convergence of TCB statuses): a revoked part revokes
    /// the whole; one that is out of date makes the whole so; any other changes nothing.
    #[must_use]
    pub const fn with_part(self, part: TcbStatus) -> Self {
        match (part, self) {
            (TcbStatus::Revoked, _) => TcbStatus::Revoked,
            (TcbStatus::OutOfDate, TcbStatus::UpToDate | TcbStatus::SwHardeningNeeded) => {
                TcbStatus::OutOfDate
            }
            (
                TcbStatus::OutOfDate,
                TcbStatus::ConfigurationNeeded | TcbStatus::ConfigurationAndSwHardeningNeeded,
            ) => TcbStatus::OutOfDateConfigurationNeeded,
            _ => self,
        }
    }

    /// The status of a TD at its launch together with the one it would have if it were launched now
    /// (Intel quote verification library, check for a relaunch): a relaunch is advised where the former
    /// is out of date and the latter is not.
    #[must_use]
    pub const fn with_current(self, current: TcbStatus) -> Self {
        let is_current = matches!(
            current,
            TcbStatus::UpToDate
                | TcbStatus::SwHardeningNeeded
                | TcbStatus::ConfigurationNeeded
                | TcbStatus::ConfigurationAndSwHardeningNeeded
        );
        if !self.is_out_of_date() || !is_current {
            self
        } else if self.asks_for_configuration() || current.asks_for_configuration() {
            TcbStatus::TdRelaunchAdvisedConfigurationNeeded
        } else {
            TcbStatus::TdRelaunchAdvised
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
