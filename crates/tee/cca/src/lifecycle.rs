//! The security lifecycle of a platform, claim 2395 (draft-ffm-rats-cca-token-04, 4.5.2).

use std::fmt;

/// A state of the lifecycle. The lower eight bits of the claim are the implementation's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// 0x00xx.
    Unknown,
    /// 0x10xx.
    AssemblyAndTest,
    /// 0x20xx.
    RotProvisioning,
    /// 0x30xx: the one state of a platform in the field.
    Secured,
    /// 0x40xx: the Realm Management Monitor, or other firmware that is no root of trust, is debugged.
    NonPlatformRotDebug,
    /// 0x50xx: the root of trust is debugged; it can be secured again.
    RecoverablePlatformRotDebug,
    /// 0x60xx.
    Decommissioned,
}

impl Lifecycle {
    /// The state of a claim's value; `None` for values that the draft does not give a meaning.
    pub const fn of(value: u16) -> Option<Self> {
        Some(match value {
            0x0000..=0x00ff => Lifecycle::Unknown,
            0x1000..=0x10ff => Lifecycle::AssemblyAndTest,
            0x2000..=0x20ff => Lifecycle::RotProvisioning,
            0x3000..=0x30ff => Lifecycle::Secured,
            0x4000..=0x40ff => Lifecycle::NonPlatformRotDebug,
            0x5000..=0x50ff => Lifecycle::RecoverablePlatformRotDebug,
            0x6000..=0x60ff => Lifecycle::Decommissioned,
            _ => return None,
        })
    }

    /// Its name in claims.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Unknown => "unknown",
            Lifecycle::AssemblyAndTest => "assembly-and-test",
            Lifecycle::RotProvisioning => "cca-platform-rot-provisioning",
            Lifecycle::Secured => "secured",
            Lifecycle::NonPlatformRotDebug => "non-cca-platform-rot-debug",
            Lifecycle::RecoverablePlatformRotDebug => "recoverable-cca-platform-rot-debug",
            Lifecycle::Decommissioned => "decommissioned",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_at_their_borders() {
        for (state, first) in [
            (Lifecycle::Unknown, 0),
            (Lifecycle::AssemblyAndTest, 0x1000),
            (Lifecycle::RotProvisioning, 0x2000),
            (Lifecycle::Secured, 0x3000),
            (Lifecycle::NonPlatformRotDebug, 0x4000),
            (Lifecycle::RecoverablePlatformRotDebug, 0x5000),
            (Lifecycle::Decommissioned, 0x6000),
        ] {
            assert_eq!(Lifecycle::of(first), Some(state));
            assert_eq!(Lifecycle::of(first + 0xff), Some(state));
            assert_eq!(Lifecycle::of(first + 0x100), None);
            assert_ne!(Lifecycle::of(first.wrapping_sub(1)), Some(state));
        }
        assert_eq!(Lifecycle::of(0x7000), None);
        assert_eq!(Lifecycle::of(u16::MAX), None);
    }
}
