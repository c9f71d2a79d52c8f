//! Device paths as text.
//!
//! UEFI 2.10, section 10: binary form in 10.3, text form in 10.6. The text is Trustee's, which policies
//! look for (`File(kernel)`); nodes that have no text of their own are `Path(<type>,<subtype>,<hex>)`.

use std::fmt::Write as _;

use crate::reader::Reader;

/// The most nodes of one device path.
const MAX_NODES: usize = 64;

const END: u8 = 0x7f;
const END_ENTIRE: u8 = 0xff;

/// The nodes of a device path, each as text, without the end node.
pub(crate) fn device_path(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
    let mut r = Reader::new(bytes);
    let mut nodes = Vec::new();
    loop {
        let [kind, subtype, low, high] =
            r.array("node header").map_err(|_| "the device path has no end node")?;
        let len = usize::from(u16::from_le_bytes([low, high]));
        let data_len = len.checked_sub(4).ok_or("a device path node is shorter than its header")?;
        let data = r.take(data_len, "node").map_err(|_| "a device path node is longer than the path")?;
        if (kind, subtype) == (END, END_ENTIRE) {
            return if r.rest().is_empty() { Ok(nodes) } else { Err("bytes follow the device path's end") };
        }
        if nodes.len() >= MAX_NODES {
            return Err("the device path has more than 64 nodes");
        }
        nodes.push(
            node(kind, subtype, data)
                .unwrap_or_else(|| format!("Path({kind},{subtype},{})", hex::encode(data))),
        );
    }
}

fn node(kind: u8, subtype: u8, data: &[u8]) -> Option<String> {
    let mut r = Reader::new(data);
    match (kind, subtype) {
        (1, 1) => {
            let [function, device] = r.array("").ok()?;
            Some(format!("Pci({function},{device})"))
        }
        (2, 1) => {
            let hid = r.u32("").ok()?;
            let uid = r.u32("").ok()?;
            Some(format!("ACPI({},{uid})", eisa_id(hid)?))
        }
        (3, 5) => {
            let [port, interface] = r.array("").ok()?;
            Some(format!("USB({port},{interface})"))
        }
        (4, 1) => hard_drive(&mut r),
        (4, 3) => {
            let guid: [u8; 16] = r.array("").ok()?;
            Some(format!("VenMedia({},{})", guid_text(&guid), hex::encode(r.rest())))
        }
        (4, 4) => file(data),
        _ => None,
    }
}

/// Three letters of five bits, and the product number: `PNP0A03`.
fn eisa_id(hid: u32) -> Option<String> {
    let mut text = String::new();
    for shift in [10, 5, 0] {
        let letter = u8::try_from((hid >> shift) & 0x1f).ok()?;
        text.push(char::from(b'@'.saturating_add(letter)));
    }
    write!(text, "{:04X}", hid >> 16).ok()?;
    Some(text)
}

fn hard_drive(r: &mut Reader<'_>) -> Option<String> {
    let partition = r.u32("").ok()?;
    let start = r.u64("").ok()?;
    let size = r.u64("").ok()?;
    let signature: [u8; 16] = r.array("").ok()?;
    let [format, _signature_type] = r.array("").ok()?;
    let (format, signature) = match format {
        1 => ("MBR", format!("{:#010x}", Reader::new(&signature).u32("").ok()?)),
        2 => ("GPT", guid_text(&signature)),
        _ => return None,
    };
    let place = if partition == 0 { String::new() } else { format!(",{start:#x},{size:#x}") };
    Some(format!("HD({partition},{format},{signature}{place})"))
}

/// A path name in UTF-16, whose last unit is the NUL that ends it.
fn file(data: &[u8]) -> Option<String> {
    let (units, odd) = data.as_chunks::<2>();
    let (_nul, units) = units.split_last()?;
    if !odd.is_empty() {
        return None;
    }
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    Some(format!("File({})", String::from_utf16_lossy(&units)))
}

/// A GUID as UEFI writes it: the first three groups are little endian.
fn guid_text(guid: &[u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = guid;
    let [d0, d1, e @ ..] = d;
    let mut text = format!(
        "{:08X}-{:04X}-{:04X}-{d0:02X}{d1:02X}-",
        u32::from_le_bytes([*a0, *a1, *a2, *a3]),
        u16::from_le_bytes([*b0, *b1]),
        u16::from_le_bytes([*c0, *c1]),
    );
    text.push_str(&hex::encode_upper(e));
    text
}
