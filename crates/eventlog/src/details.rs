//! What the data of an event means.
//!
//! The decoding is Trustee's, because policies look at the result. It describes, it proves nothing.

use serde_json::{Map, Value};

use crate::claims::base64_text;
use crate::device_path::device_path;
use crate::reader::{Reader, usize_from};
use crate::{AAEL_TAG, Aael, Event, EventType};

/// The data of an event, decoded as its type asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details<'a> {
    /// Nothing is decoded for this type, or there is nothing in it.
    None,
    /// A description or text.
    Text(String),
    /// `UEFI_VARIABLE_DATA`.
    Variable {
        /// The vendor's GUID as it stands in memory.
        vendor: [u8; 16],
        /// The name.
        name: String,
        /// The length of the name in UTF-16 units.
        name_len: u64,
        /// The value.
        data: &'a [u8],
    },
    /// The device path of an image, its nodes as text.
    DevicePath(Vec<String>),
    /// An AAEL entry.
    Aael(Aael<'a>),
    /// The data is not what the type asks for. Why, in a few words.
    Undecoded(&'static str),
}

impl<'a> Details<'a> {
    pub(crate) fn of(event: &Event<'a>) -> Self {
        let data = event.data;
        let decoded = match event.event_type {
            EventType::POST_CODE
            | EventType::ACTION
            | EventType::COMPACT_HASH
            | EventType::OMIT_BOOT_DEVICE_EVENTS
            | EventType::EFI_ACTION => utf8(data).map(|text| Details::Text(text.to_owned())),
            EventType::PLATFORM_CONFIG_FLAGS => Ok(Details::Text(flags(data))),
            EventType::EVENT_TAG => tagged(data),
            EventType::IPL => ipl(data).map(Details::Text),
            EventType::EFI_VARIABLE_DRIVER_CONFIG
            | EventType::EFI_VARIABLE_BOOT
            | EventType::EFI_VARIABLE_BOOT2
            | EventType::EFI_VARIABLE_AUTHORITY => variable(data),
            EventType::EFI_BOOT_SERVICES_APPLICATION => image(data),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB2 | EventType::EFI_HANDOFF_TABLES2 => {
                description(data).map(Details::Text)
            }
            _ => Ok(Details::None),
        };
        decoded.unwrap_or_else(Details::Undecoded)
    }

    /// The member `details` of the event's claim: `string`, `unicode_name`, `unicode_name_length`,
    /// `variable_name`, `variable_data` (base64), `variable_data_length`, `device_paths`, `data`, as Trustee
    /// has them, and `undecoded`.
    pub fn to_claims(&self) -> Value {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        match self {
            Details::None => {}
            Details::Text(text) => {
                set("string", Value::from(text.as_str()));
            }
            Details::Variable { vendor, name, name_len, data } => {
                set("variable_name", Value::from(vendor_text(vendor)));
                set("unicode_name", Value::from(name.as_str()));
                set("unicode_name_length", Value::from(*name_len));
                set("variable_data", Value::from(base64_text(data)));
                set("variable_data_length", Value::from(data.len()));
            }
            Details::DevicePath(nodes) => {
                set("device_paths", Value::from(nodes.as_slice()));
            }
            Details::Aael(entry) => {
                let mut data = Map::new();
                data.insert("domain".to_owned(), Value::from(entry.domain));
                data.insert("operation".to_owned(), Value::from(entry.operation));
                data.insert("content".to_owned(), entry.content_value());
                set("data", Value::Object(data));
                set("string", Value::from(entry.to_text()));
                set("unicode_name", Value::from("AAEL"));
            }
            Details::Undecoded(why) => {
                set("undecoded", Value::from(*why));
            }
        }
        Value::Object(claims)
    }
}

fn utf8(data: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(data).map_err(|_| "not UTF-8")
}

/// What firmware likes to say of its configuration. The control character 0x10 is a space: in td-shim's
/// `td_payload_info` it is the size 0x1000 between name and command line.
fn flags(data: &[u8]) -> String {
    let text = std::str::from_utf8(data).unwrap_or_default();
    text.chars().map(|c| if c == '\u{10}' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// `TCG_PCClientTaggedEvent` (TCG PC Client Platform Firmware Profile 1.06, 10.4.2.1).
fn tagged(data: &[u8]) -> Result<Details<'_>, &'static str> {
    let mut r = Reader::new(data);
    let tag = r.u32("taggedEventID").map_err(|_| "the tagged event has no tag")?;
    let len = r.u32("taggedEventDataSize").map_err(|_| "the tagged event has no size")?;
    let text = r
        .take(usize_from(len), "taggedEventData")
        .map_err(|_| "the tagged event is shorter than its size says")?;
    if tag != AAEL_TAG {
        return Ok(Details::Text(String::from_utf8_lossy(text).replace('\0', "")));
    }
    if !r.rest().is_empty() {
        return Err("bytes follow the AAEL entry");
    }
    Aael::from_text(text).map(Details::Aael).map_err(|_| "the tag is AAEL's, the text is no AAEL entry")
}

/// A boot loader's event. Its form is the boot loader's own: text that ends with a NUL (shim, GRUB), or
/// UTF-16 (systemd), where names of PE sections begin with a full stop that Trustee leaves out.
fn ipl(data: &[u8]) -> Result<String, &'static str> {
    if data.len() < 2 {
        return Err("shorter than two bytes");
    }
    if let Some(text) = utf16_text(data) {
        return Ok(text.strip_prefix('.').map(str::to_owned).unwrap_or(text));
    }
    let text = until_nul(data);
    Ok(std::str::from_utf8(text).map_or_else(|_| hex::encode(data), str::to_owned))
}

/// UTF-16 that ends with a NUL and begins with an ASCII character: text of systemd.
pub(crate) fn utf16_text(data: &[u8]) -> Option<String> {
    let (units, odd) = data.as_chunks::<2>();
    let ([0x20..=0x7e, 0], ([0, 0], units)) = (units.first()?, units.split_last()?) else { return None };
    if !odd.is_empty() {
        return None;
    }
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16(&units).ok()
}

/// The bytes before the first NUL, or all.
pub(crate) fn until_nul(data: &[u8]) -> &[u8] {
    data.split(|b| *b == 0).next().unwrap_or_default()
}

/// `UEFI_VARIABLE_DATA` (10.2.6).
fn variable(data: &[u8]) -> Result<Details<'_>, &'static str> {
    const SHORT: &str = "the variable is shorter than its lengths say";
    let mut r = Reader::new(data);
    let vendor = r.array("variableName").map_err(|_| SHORT)?;
    let name_len = r.u64("unicodeNameLength").map_err(|_| SHORT)?;
    let data_len = r.u64("variableDataLength").map_err(|_| SHORT)?;
    let units = usize::try_from(name_len).ok().and_then(|units| units.checked_mul(2)).ok_or(SHORT)?;
    let (units, _) = r.take(units, "unicodeName").map_err(|_| SHORT)?.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let name = String::from_utf16(&units).map_err(|_| "the variable's name is not UTF-16")?;
    let data_len = usize::try_from(data_len).map_err(|_| SHORT)?;
    let data = r.take(data_len, "variableData").map_err(|_| SHORT)?;
    Ok(Details::Variable { vendor, name, name_len, data })
}

/// `UEFI_IMAGE_LOAD_EVENT` (10.2.3).
fn image(data: &[u8]) -> Result<Details<'_>, &'static str> {
    const SHORT: &str = "the image load event is shorter than its lengths say";
    let mut r = Reader::new(data);
    let _place_and_size: [u8; 24] = r.array("imageLocationInMemory").map_err(|_| SHORT)?;
    let len = r.u64("lengthOfDevicePath").map_err(|_| SHORT)?;
    if len == 0 {
        return Ok(Details::None);
    }
    let len = usize::try_from(len).map_err(|_| SHORT)?;
    device_path(r.take(len, "devicePath").map_err(|_| SHORT)?).map(Details::DevicePath)
}

/// The description at the start of `UEFI_PLATFORM_FIRMWARE_BLOB2` and `UEFI_HANDOFF_TABLE_POINTERS2`
/// (10.2.5, 10.2.4). Firmware counts the NUL that ends it.
pub(crate) fn description(data: &[u8]) -> Result<String, &'static str> {
    const SHORT: &str = "the description is shorter than its length says";
    let mut r = Reader::new(data);
    let len = r.u8("descriptionSize").map_err(|_| SHORT)?;
    let text = r.take(usize::from(len), "description").map_err(|_| SHORT)?;
    utf8(text.strip_suffix(&[0]).unwrap_or(text)).map(str::to_owned)
}

/// The vendor's GUID, its bytes in the order of memory, as Trustee writes it.
fn vendor_text(vendor: &[u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, e @ ..] = vendor;
    [
        hex::encode([*a0, *a1, *a2, *a3]),
        hex::encode([*b0, *b1]),
        hex::encode([*c0, *c1]),
        hex::encode([*d0, *d1]),
        hex::encode(e),
    ]
    .join("-")
}
