//! Types of events and their names.

use std::fmt;

/// The type of an event, `TCG_EVENTTYPE` (TCG PC Client Platform Firmware Profile 1.06, 10.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(pub u32);

/// Declares the types once: number, constant and name in claims.
macro_rules! event_types {
    ($($number:literal $name:ident,)*) => {
        impl EventType {
            $(
                #[doc = concat!("`EV_", stringify!($name), "`")]
                pub const $name: EventType = EventType($number);
            )*

            /// Every type that has a name.
            pub const NAMED: &[EventType] = &[$(EventType::$name),*];

            /// The name as the specification and Trustee write it, such as `EV_NO_ACTION`.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(concat!("EV_", stringify!($name))),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    0x0000_0000 PREBOOT_CERT,
    0x0000_0001 POST_CODE,
    0x0000_0002 UNUSED,
    0x0000_0003 NO_ACTION,
    0x0000_0004 SEPARATOR,
    0x0000_0005 ACTION,
    0x0000_0006 EVENT_TAG,
    0x0000_0007 S_CRTM_CONTENTS,
    0x0000_0008 S_CRTM_VERSION,
    0x0000_0009 CPU_MICROCODE,
    0x0000_000a PLATFORM_CONFIG_FLAGS,
    0x0000_000b TABLE_OF_DEVICES,
    0x0000_000c COMPACT_HASH,
    0x0000_000d IPL,
    0x0000_000e IPL_PARTITION_DATA,
    0x0000_000f NONHOST_CODE,
    0x0000_0010 NONHOST_CONFIG,
    0x0000_0011 NONHOST_INFO,
    0x0000_0012 OMIT_BOOT_DEVICE_EVENTS,
    0x8000_0000 EFI_EVENT_BASE,
    0x8000_0001 EFI_VARIABLE_DRIVER_CONFIG,
    0x8000_0002 EFI_VARIABLE_BOOT,
    0x8000_0003 EFI_BOOT_SERVICES_APPLICATION,
    0x8000_0004 EFI_BOOT_SERVICES_DRIVER,
    0x8000_0005 EFI_RUNTIME_SERVICES_DRIVER,
    0x8000_0006 EFI_GPT_EVENT,
    0x8000_0007 EFI_ACTION,
    0x8000_0008 EFI_PLATFORM_FIRMWARE_BLOB,
    0x8000_0009 EFI_HANDOFF_TABLES,
    0x8000_000a EFI_PLATFORM_FIRMWARE_BLOB2,
    0x8000_000b EFI_HANDOFF_TABLES2,
    0x8000_000c EFI_VARIABLE_BOOT2,
    0x8000_0010 EFI_HCRTM_EVENT,
    0x8000_00e0 EFI_VARIABLE_AUTHORITY,
    0x8000_00e1 EFI_SPDM_FIRMWARE_BLOB,
    0x8000_00e2 EFI_SPDM_FIRMWARE_CONFIG,
}

/// The name, or the number where there is none: `0x0000001f`.
impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(EventType::EFI_VARIABLE_AUTHORITY.to_string(), "EV_EFI_VARIABLE_AUTHORITY");
        assert_eq!(EventType(0x1f).to_string(), "0x0000001f");
        assert!(EventType::NAMED.iter().all(|t| t.name().is_some_and(|n| n.starts_with("EV_"))));
        assert!(EventType::NAMED.is_sorted());
    }
}
