//! The components of the boot that a log names: kernel, command line, initrd, boot loader.
//!
//! | flavour | kernel | command line | initrd |
//! |---|---|---|---|
//! | OVMF/TDVF, kernel from the hypervisor | image `File(kernel)` | tag `LOADED_IMAGE::LoadOptions` | tag `Linux initrd` |
//! | boot loader that hands over in memory | image without device path | the same | the same |
//! | unified kernel image (systemd-stub) | section `.linux`, image `VenMedia(55C5D1F8-…)` | section `.cmdline` | section `.initrd` |
//! | GRUB | file that `linux` names, `grub_linuxefi Kernel` | `kernel_cmdline: …` | file that `initrd` names, `grub_linuxefi Initrd` |
//! | td-shim | `td_payload` | `td_payload_info` | |
//!
//! Trustee's default policy looks at the first line: `tdvfkernel` is compared with the digests of
//! `EV_EFI_BOOT_SERVICES_APPLICATION` events that have `File(kernel)` in their device path, and
//! `tdvfkernelparams` with those of `EV_EVENT_TAG` events that read `LOADED_IMAGE::LoadOptions`. It
//! looks at neither register index nor `digest_matches_event`.
//!
//! A component is found by what the log says of it, which is not measured (see the crate's page). So each
//! is given with its register, all that fit are given, and none is preferred.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use crate::details::utf16_text;
use crate::measured::{MeasuredKind, MeasuredText};
use crate::{Details, Event, EventLog, EventType, TcgAlgorithm, UnsupportedAlgorithm};

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BootRole {
    /// The kernel. Its digest is that of the image: Authenticode for EFI images, the file for GRUB and
    /// sections, the loaded image for td-shim.
    Kernel,
    /// The kernel's command line. The digest is that of the text: UTF-16 with the NUL for
    /// `LOADED_IMAGE::LoadOptions`, UTF-8 for GRUB.
    KernelCommandLine,
    /// The initial RAM disk.
    Initrd,
    /// Any other EFI application: shim, GRUB, a unified kernel image.
    BootLoader,
    /// A command that the boot loader carried out.
    BootLoaderCommand,
}

impl BootRole {
    /// Every role.
    pub const ALL: [BootRole; 5] = [
        BootRole::Kernel,
        BootRole::KernelCommandLine,
        BootRole::Initrd,
        BootRole::BootLoader,
        BootRole::BootLoaderCommand,
    ];

    /// The name in claims.
    pub const fn as_str(self) -> &'static str {
        match self {
            BootRole::Kernel => "kernel",
            BootRole::KernelCommandLine => "kernel_command_line",
            BootRole::Initrd => "initrd",
            BootRole::BootLoader => "boot_loader",
            BootRole::BootLoaderCommand => "boot_loader_commands",
        }
    }
}

/// Who measured a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootSource {
    /// UEFI firmware, when it loads an image.
    Firmware,
    /// td-shim.
    TdShim,
    /// GRUB.
    Grub,
    /// systemd-stub, the loader within a unified kernel image.
    SystemdStub,
    /// The EFI stub of the Linux kernel.
    LinuxStub,
}

/// The name in claims.
impl fmt::Display for BootSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BootSource::Firmware => "firmware",
            BootSource::TdShim => "td-shim",
            BootSource::Grub => "grub",
            BootSource::SystemdStub => "systemd-stub",
            BootSource::LinuxStub => "linux-stub",
        })
    }
}

/// A component of the boot, as one event gives it.
#[derive(Clone, Debug)]
pub struct BootComponent<'a> {
    /// What it is.
    pub role: BootRole,
    /// Who measured it.
    pub source: BootSource,
    /// The event.
    pub event: Event<'a>,
    /// The digest that was extended.
    pub digest: &'a [u8],
    /// What the log calls it: a file, a device path. Not proven.
    pub label: Option<String>,
    /// The text that was measured, as the log gives it.
    pub text: Option<&'a str>,
    /// Whether the digest is that of [`BootComponent::text`]. The text is proven only then.
    pub digest_matches_text: bool,
}

impl EventLog {
    /// The components that events bound to the registers `indices` of `algorithm` give, in the order
    /// of the log. For TDX take 1 to 3: register 4 (RTMR 3) is for what runs later.
    ///
    /// # Errors
    /// [`UnsupportedAlgorithm`]: digests must be compared.
    pub fn boot_components(
        &self,
        algorithm: impl Into<TcgAlgorithm>,
        indices: RangeInclusive<u32>,
    ) -> Result<Vec<BootComponent<'_>>, UnsupportedAlgorithm> {
        let algorithm = algorithm.into();
        algorithm.implementation()?;
        let mut files = GrubFiles::default();
        let components = self.bound(algorithm, indices).filter_map(|event| {
            let digest = event.digest(algorithm)?;
            let found = find(&event, algorithm, &mut files)?;
            let Found { role, source, label, text, digest_matches_text } = found;
            Some(BootComponent { role, source, event, digest, label, text, digest_matches_text })
        });
        Ok(components.collect())
    }
}

/// What an event is found to be.
struct Found<'a> {
    role: BootRole,
    source: BootSource,
    label: Option<String>,
    text: Option<&'a str>,
    digest_matches_text: bool,
}

impl<'a> Found<'a> {
    fn labelled(role: BootRole, source: BootSource, label: Option<String>) -> Self {
        Found { role, source, label, text: None, digest_matches_text: false }
    }

    fn text(role: BootRole, source: BootSource, text: &'a str, digest_matches_text: bool) -> Self {
        Found { role, source, label: None, text: Some(text), digest_matches_text }
    }
}

fn find<'a>(event: &Event<'a>, algorithm: TcgAlgorithm, files: &mut GrubFiles<'a>) -> Option<Found<'a>> {
    if let Some(text) = MeasuredText::of(event) {
        let matches = event.digest_is_of(algorithm, text.measured).unwrap_or(false);
        let (role, source) = match text.kind {
            MeasuredKind::GrubCommand => {
                // What was not measured names no file.
                if matches {
                    files.command(text.text);
                }
                (BootRole::BootLoaderCommand, BootSource::Grub)
            }
            MeasuredKind::GrubKernelCommandLine => (BootRole::KernelCommandLine, BootSource::Grub),
            MeasuredKind::TdPayloadInfo => (BootRole::KernelCommandLine, BootSource::TdShim),
        };
        return Some(Found::text(role, source, text.text, matches));
    }
    match (event.event_type, event.details()) {
        (EventType::EFI_BOOT_SERVICES_APPLICATION, details) => Some(image(details)),
        (EventType::EVENT_TAG, Details::Text(text)) => {
            let role = match text.as_str() {
                "LOADED_IMAGE::LoadOptions" => BootRole::KernelCommandLine,
                "Linux initrd" => BootRole::Initrd,
                _ => return None,
            };
            Some(Found::labelled(role, BootSource::LinuxStub, Some(text)))
        }
        (EventType::EFI_PLATFORM_FIRMWARE_BLOB2, Details::Text(text)) if text == "td_payload" => {
            Some(Found::labelled(BootRole::Kernel, BootSource::TdShim, Some(text)))
        }
        (EventType::IPL, Details::Text(text)) => ipl(event, algorithm, text, files),
        _ => None,
    }
}

/// The GUID by which systemd-stub names the kernel within its image (`STUB_PAYLOAD_GUID`).
const SYSTEMD_STUB_PAYLOAD: &str = "VenMedia(55C5D1F8-04CD-46B5-8A20-E56CBB3052D0,)";

fn image(details: Details<'_>) -> Found<'static> {
    match details {
        Details::DevicePath(nodes) => {
            let (role, source) = if nodes.iter().any(|node| node == "File(kernel)") {
                (BootRole::Kernel, BootSource::Firmware)
            } else if nodes.iter().any(|node| node == SYSTEMD_STUB_PAYLOAD) {
                (BootRole::Kernel, BootSource::SystemdStub)
            } else {
                (BootRole::BootLoader, BootSource::Firmware)
            };
            Found::labelled(role, source, Some(nodes.join("/")))
        }
        // An image from memory, as GRUB and shim give a kernel to the firmware.
        Details::None => Found::labelled(BootRole::Kernel, BootSource::Firmware, None),
        _ => Found::labelled(BootRole::BootLoader, BootSource::Firmware, None),
    }
}

fn ipl<'a>(
    event: &Event<'a>,
    algorithm: TcgAlgorithm,
    text: String,
    files: &GrubFiles<'a>,
) -> Option<Found<'a>> {
    if let Some(section) = utf16_text(event.data).filter(|text| text.starts_with('.')) {
        // systemd-stub measures a section's name (in ASCII, with the NUL) and then its content, and
        // describes both with the name.
        let mut name = section.clone().into_bytes();
        name.push(0);
        if event.digest_is_of(algorithm, &name).unwrap_or(false) {
            return None;
        }
        let role = match section.as_str() {
            ".linux" => BootRole::Kernel,
            ".cmdline" => BootRole::KernelCommandLine,
            ".initrd" => BootRole::Initrd,
            _ => return None,
        };
        return Some(Found::labelled(role, BootSource::SystemdStub, Some(section)));
    }
    let role = match text.as_str() {
        "grub_linuxefi Kernel" => BootRole::Kernel,
        "grub_linuxefi Initrd" => BootRole::Initrd,
        file => files.role(file)?,
    };
    Some(Found::labelled(role, BootSource::Grub, Some(text)))
}

/// The files that GRUB's last commands name. GRUB measures a file when it reads it, with its name as
/// description.
#[derive(Default)]
struct GrubFiles<'a> {
    kernel: Option<&'a str>,
    /// A set: a command can name hundreds of thousands, and every later event is looked up.
    initrds: HashSet<&'a str>,
}

impl<'a> GrubFiles<'a> {
    fn command(&mut self, command: &'a str) {
        let mut words = command.split_ascii_whitespace();
        match words.next() {
            Some("linux" | "linuxefi" | "linux16") => {
                self.kernel = words.find(|word| !word.starts_with("--"));
                self.initrds.clear();
            }
            Some("initrd" | "initrdefi" | "initrd16") => {
                // newc:NAME:FILE gives a file another name within the disk.
                self.initrds = words
                    .map(|word| {
                        word.strip_prefix("newc:")
                            .and_then(|w| w.split_once(':'))
                            .map_or(word, |(_, file)| file)
                    })
                    .collect();
            }
            _ => {}
        }
    }

    fn role(&self, file: &str) -> Option<BootRole> {
        if self.kernel == Some(file) {
            Some(BootRole::Kernel)
        } else if self.initrds.contains(file) {
            Some(BootRole::Initrd)
        } else {
            None
        }
    }
}
