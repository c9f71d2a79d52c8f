//! Text in an event of which the digest is made, although the digest is not that of the whole data.

use crate::details::until_nul;
use crate::{Event, EventType};

/// What GRUB writes before a text that it measures; its digest is that of the text alone. With a
/// colon upstream's `tpm` module, without one the older patches that distributions carry.
const GRUB: [(&[u8], MeasuredKind); 4] = [
    (b"grub_cmd: ", MeasuredKind::GrubCommand),
    (b"grub_cmd ", MeasuredKind::GrubCommand),
    (b"kernel_cmdline: ", MeasuredKind::GrubKernelCommandLine),
    (b"grub_kernel_cmdline ", MeasuredKind::GrubKernelCommandLine),
];

/// td-shim's `TdShimPlatformConfigInfoHeader`: a descriptor of 16 bytes and a size of 4. The digest is
/// that of what follows.
const TD_PAYLOAD_INFO: &[u8; 16] = b"td_payload_info\0";
const TD_SHIM_HEADER_LEN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeasuredKind {
    GrubCommand,
    GrubKernelCommandLine,
    TdPayloadInfo,
}

/// A text and the bytes whose digest the event has if it is honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MeasuredText<'a> {
    pub(crate) kind: MeasuredKind,
    pub(crate) text: &'a str,
    pub(crate) measured: &'a [u8],
}

impl<'a> MeasuredText<'a> {
    /// The text of an event, where it has one of a known form in UTF-8.
    pub(crate) fn of(event: &Event<'a>) -> Option<Self> {
        let (kind, measured) = match event.event_type {
            EventType::IPL => {
                let (text, kind) = GRUB
                    .iter()
                    .find_map(|(prefix, kind)| Some((event.data.strip_prefix(*prefix)?, *kind)))?;
                (kind, until_nul(text))
            }
            EventType::PLATFORM_CONFIG_FLAGS if event.data.starts_with(TD_PAYLOAD_INFO) => {
                (MeasuredKind::TdPayloadInfo, event.data.get(TD_SHIM_HEADER_LEN..)?)
            }
            _ => return None,
        };
        let text = std::str::from_utf8(until_nul(measured)).ok()?;
        Some(MeasuredText { kind, text, measured })
    }
}
