//! Writing.

use crate::Value;

impl Value {
    /// The encoding, with shortest heads (RFC 8949, 4.2.1). Members of maps stay in their order; a
    /// floating-point number takes 32 bits where they hold it exactly, else 64.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Unsigned(n) => head(0, *n, out),
            Value::Negative(n) => head(1, *n, out),
            Value::Bytes(bytes) => {
                head(2, length(bytes.len()), out);
                out.extend_from_slice(bytes);
            }
            Value::Text(text) => {
                head(3, length(text.len()), out);
                out.extend_from_slice(text.as_bytes());
            }
            Value::Array(items) => {
                head(4, length(items.len()), out);
                items.iter().for_each(|item| item.write(out));
            }
            Value::Map(members) => {
                head(5, length(members.len()), out);
                for (key, value) in members {
                    key.write(out);
                    value.write(out);
                }
            }
            Value::Tag(tag, content) => {
                head(6, *tag, out);
                content.write(out);
            }
            Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Value::Null => out.push(0xf6),
            Value::Undefined => out.push(0xf7),
            Value::Simple(value) => head(7, u64::from(*value), out),
            Value::Float(number) => float(*number, out),
        }
    }
}

fn length(len: usize) -> u64 {
    // There are no longer slices.
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let [.., _, _, _, last] = bytes;
    let (info, from) = match argument {
        0..24 => return out.push(major | last),
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out.push(major | info);
    out.extend(bytes.iter().skip(from));
}

#[expect(clippy::as_conversions, reason = "there is no other conversion to f32; what it loses is looked at")]
fn float(number: f64, out: &mut Vec<u8>) {
    let short = number as f32;
    if f64::from(short) == number || number.is_nan() {
        out.push(0xfa);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}
