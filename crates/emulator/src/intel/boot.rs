//! What an emulated TD boots, and the log of it: firmware (TDVF), then a kernel that the host passes to it, with
//! command line and initial file system.

use super::event_log::{Event, EventLog, event_type, index};

/// The command line of an emulated TD unless it is set.
pub const DEFAULT_COMMAND_LINE: &str = "root=/dev/vda1 console=hvc0 ro";

/// The ids of the events of Linux's EFI stub (Linux, drivers/firmware/efi/libstub/efistub.h).
const INITRD: u32 = 0x8f3b_22ec;
const LOAD_OPTIONS: u32 = 0x8f3b_22ed;

/// EFI_GLOBAL_VARIABLE, 8be4df61-93ca-11d2-aa0d-00e098032b8c, in the order of bytes of UEFI.
const GLOBAL_VARIABLE: [u8; 16] =
    [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c];
/// The file system of what the host passes, 1428f772-b64a-441e-b8c3-9ebdd7f893c7 (EDK II, QemuKernelLoaderFs).
const KERNEL_LOADER: [u8; 16] =
    [0x72, 0xf7, 0x28, 0x14, 0x4a, 0xb6, 0x1e, 0x44, 0xb8, 0xc3, 0x9e, 0xbd, 0xd7, 0xf8, 0x93, 0xc7];

/// What a TD boots. The contents are short texts that stand for the real ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Whether UEFI Secure Boot is on.
    pub secure_boot: bool,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The command line.
    pub command_line: String,
    /// The initial file system; none is not measured.
    pub initrd: Option<Vec<u8>>,
    /// What the Attestation Agent measured: domain, operation, content.
    pub agent_events: Vec<(String, String, String)>,
}

impl Default for Boot {
    fn default() -> Self {
        Boot {
            secure_boot: false,
            kernel: b"assay emulator kernel".to_vec(),
            command_line: DEFAULT_COMMAND_LINE.into(),
            initrd: Some(b"assay emulator initrd".to_vec()),
            agent_events: vec![(
                "github.com/confidential-containers".into(),
                "PullImage".into(),
                r#"{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","image":"emulator.invalid/workload"}"#.into(),
            )],
        }
    }
}

impl Boot {
    /// The log of this boot.
    pub fn event_log(&self) -> EventLog {
        let separator = |register| Event::of_data(register, event_type::SEPARATOR, vec![0; 4]);
        let action =
            |text: &str| Event::of_data(index::RTMR1, event_type::EFI_ACTION, text.as_bytes().to_vec());
        let mut events = vec![
            Event::measured(
                index::RTMR0,
                event_type::EFI_HANDOFF_TABLES2,
                b"assay emulator TD HOB",
                // Length of the description, description, number of tables.
                [b"\x09TdxTable\0".as_slice(), &0_u64.to_le_bytes()].concat(),
            ),
            Event::measured(
                index::RTMR0,
                event_type::EFI_PLATFORM_FIRMWARE_BLOB2,
                b"assay emulator firmware configuration",
                // Length of the description, description, address, length.
                [
                    b"\x29Fv(00000000-0000-0000-0000-000000000000)\0".as_slice(),
                    &0xffe0_0000_u64.to_le_bytes(),
                    &0x2_0000_u64.to_le_bytes(),
                ]
                .concat(),
            ),
            Event::of_data(
                index::RTMR0,
                event_type::EFI_VARIABLE_DRIVER_CONFIG,
                variable("SecureBoot", &[u8::from(self.secure_boot)]),
            ),
            separator(index::RTMR0),
            Event::measured(
                index::RTMR0,
                event_type::PLATFORM_CONFIG_FLAGS,
                b"assay emulator ACPI tables",
                b"ACPI DATA".to_vec(),
            ),
            // The firmware measures the value of boot variables, not the event.
            Event::measured(
                index::RTMR0,
                event_type::EFI_VARIABLE_BOOT,
                &[0, 0],
                variable("BootOrder", &[0, 0]),
            ),
            action("Calling EFI Application from Boot Option"),
            separator(index::RTMR1),
            Event::measured(
                index::RTMR1,
                event_type::EFI_BOOT_SERVICES_APPLICATION,
                &self.kernel,
                image_load("kernel", self.kernel.len()),
            ),
            // Linux's EFI stub measures the load options as it got them, UTF-16 with a zero at the end.
            Event::tagged(
                index::RTMR2,
                LOAD_OPTIONS,
                b"LOADED_IMAGE::LoadOptions\0",
                &utf16(&format!("{}\0", self.command_line)),
            ),
            // GRUB logs the text, and measures it without its prefix and the zero at the end.
            Event::measured(
                index::RTMR2,
                event_type::IPL,
                self.command_line.as_bytes(),
                format!("kernel_cmdline: {}\0", self.command_line).into_bytes(),
            ),
        ];
        if let Some(initrd) = &self.initrd {
            events.push(Event::tagged(index::RTMR2, INITRD, b"Linux initrd\0", initrd));
        }
        events.push(action("Exit Boot Services Invocation"));
        events.push(action("Exit Boot Services Returned with Success"));
        for (domain, operation, content) in &self.agent_events {
            events.push(Event::aael(index::RTMR3, domain, operation, content));
        }
        EventLog::new(events)
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A number of 64 bits; lengths here are far below.
fn length64(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_le_bytes()
}

/// UEFI_VARIABLE_DATA of a global variable.
fn variable(name: &str, data: &[u8]) -> Vec<u8> {
    let units = name.encode_utf16().count();
    [GLOBAL_VARIABLE.as_slice(), &length64(units), &length64(data.len()), &utf16(name), data].concat()
}

/// UEFI_IMAGE_LOAD_EVENT of a file that the host passes: address, length, link address, length of the device
/// path, and the path: vendor media, file, end.
fn image_load(file: &str, len: usize) -> Vec<u8> {
    let name = utf16(&format!("{file}\0"));
    let node_len = u16::try_from(4 + name.len()).unwrap_or(u16::MAX);
    let path = [
        [0x04, 0x03, 20, 0].as_slice(),
        &KERNEL_LOADER,
        &[0x04, 0x04],
        &node_len.to_le_bytes(),
        &name,
        &[0x7f, 0xff, 4, 0],
    ]
    .concat();
    [
        0x7e00_0000_u64.to_le_bytes().as_slice(),
        &length64(len),
        &0_u64.to_le_bytes(),
        &length64(path.len()),
        &path,
    ]
    .concat()
}
