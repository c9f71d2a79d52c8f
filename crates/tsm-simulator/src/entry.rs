//! One entry of configfs-tsm: its options, its generation, its report.

use std::str::from_utf8;
use std::sync::Arc;

use rustix::io::Errno;

use crate::Inputs;
use crate::attribute::Attribute;
use crate::guest::Report;
use crate::svsm::parse_guid;

/// The most that `inblob` takes.
pub(crate) const INBLOB_MAX: usize = 64;
/// The most that one write to a text file takes: a page, less its end (Linux, fs/configfs/file.c).
const TEXT_MAX: usize = 4095;
/// The greatest privilege level (GHCB: VMPL3).
const PRIVILEGE_MAX: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) inputs: Inputs,
    /// How often something was written.
    pub(crate) generation: u64,
    /// The last report and the generation it was made for.
    made: Option<(u64, Arc<Report>)>,
}

impl Entry {
    /// The report for the inputs as they are, where it has been made.
    pub(crate) fn current(&self) -> Option<Arc<Report>> {
        self.made
            .as_ref()
            .filter(|(generation, _)| *generation == self.generation)
            .map(|(_, made)| made.clone())
    }

    pub(crate) fn keep(&mut self, report: Arc<Report>) {
        self.made = Some((self.generation, report));
    }

    /// What `inblob` was given, all of it.
    pub(crate) fn write_inblob(&mut self, data: &[u8]) -> Result<(), Errno> {
        if data.len() > INBLOB_MAX {
            return Err(Errno::FBIG);
        }
        self.generation = self.generation.wrapping_add(1);
        self.inputs.inblob = data.to_vec();
        Ok(())
    }

    /// One write to a text file.
    pub(crate) fn write_text(&mut self, attribute: Attribute, data: &[u8], floor: u32) -> Result<(), Errno> {
        if data.len() > TEXT_MAX {
            return Err(Errno::INVAL);
        }
        let text = from_utf8(data).map_err(|_| Errno::INVAL)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        // Numbers are refused before they count as a write; a wrong GUID counts, and leaves none.
        match attribute {
            Attribute::PrivLevel => {
                let level = number(text)?;
                if level < floor || level > PRIVILEGE_MAX {
                    return Err(Errno::INVAL);
                }
                self.inputs.privilege_level = Some(level);
            }
            Attribute::ServiceManifestVersion => self.inputs.service_manifest_version = number(text)?,
            Attribute::ServiceProvider => self.inputs.service_provider = Some(text.to_owned()),
            Attribute::ServiceGuid => {
                self.inputs.service_guid = parse_guid(text);
                if self.inputs.service_guid.is_none() {
                    self.generation = self.generation.wrapping_add(1);
                    return Err(Errno::INVAL);
                }
            }
            _ => return Err(Errno::ACCESS),
        }
        self.generation = self.generation.wrapping_add(1);
        Ok(())
    }
}

/// A number as kstrtouint reads it: decimal, octal after 0, hexadecimal after 0x.
fn number(text: &str) -> Result<u32, Errno> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.strip_prefix('0') {
        Some(rest) if rest.starts_with(['x', 'X']) => (rest.get(1..).unwrap_or_default(), 16),
        Some(rest) if !rest.is_empty() => (rest, 8),
        _ => (text, 10),
    };
    if digits.is_empty() || digits.contains(['+', '-']) {
        return Err(Errno::INVAL);
    }
    u32::from_str_radix(digits, radix).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => Errno::RANGE,
        _ => Errno::INVAL,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn every_number_is_read_in_every_form(value in any::<u32>()) {
            for text in [format!("{value}"), format!("0{value:o}"), format!("{value:#x}"), format!("+{value}")] {
                prop_assert_eq!(number(&text), Ok(value));
            }
        }

        /// Whatever is written: it counts once and is taken, or it counts not at all.
        #[test]
        fn a_write_is_taken_or_refused(place in 0..Attribute::ALL.len(), data in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut entry = Entry::default();
            let attribute = Attribute::ALL[place];
            let taken = entry.write_text(attribute, &data, 0).is_ok();
            let counts = taken || (attribute == Attribute::ServiceGuid && from_utf8(&data).is_ok());
            prop_assert_eq!(entry.generation, u64::from(counts));
            if !taken {
                prop_assert_eq!(entry.inputs, Inputs::default());
            }
        }
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        for (text, value) in [("0", 0), ("2", 2), ("+2", 2), ("0x2", 2), ("010", 8), ("4294967295", u32::MAX)]
        {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for text in ["", "+", "-1", "++1", "0x", "0x+1", "08", "two", "2 ", "\u{2}"] {
            assert_eq!(number(text), Err(Errno::INVAL), "{text:?}");
        }
        assert_eq!(number("4294967296"), Err(Errno::RANGE));
    }

    #[test]
    fn only_what_is_taken_counts_as_a_write() {
        let mut entry = Entry::default();
        assert_eq!(entry.write_text(Attribute::PrivLevel, b"4\n", 0), Err(Errno::INVAL));
        assert_eq!(entry.write_text(Attribute::PrivLevel, b"1\n", 2), Err(Errno::INVAL));
        assert_eq!(entry.write_text(Attribute::PrivLevel, &[b'1'; TEXT_MAX + 1], 0), Err(Errno::INVAL));
        assert_eq!(entry.write_text(Attribute::Provider, b"x", 0), Err(Errno::ACCESS));
        assert_eq!(entry.write_inblob(&[0; INBLOB_MAX + 1]), Err(Errno::FBIG));
        assert_eq!((entry.generation, &entry.inputs), (0, &Inputs::default()));
        assert_eq!(entry.write_text(Attribute::PrivLevel, b"2\n", 2), Ok(()));
        assert_eq!(entry.write_inblob(&[7; INBLOB_MAX]), Ok(()));
        assert_eq!(entry.generation, 2);
        assert_eq!(entry.inputs.privilege_level, Some(2));
    }

    #[test]
    fn a_report_is_that_of_its_generation() {
        let mut entry = Entry::default();
        entry.write_inblob(&[1; 64]).unwrap();
        entry.keep(Arc::new(Report::default()));
        assert!(entry.current().is_some());
        entry.write_inblob(&[1; 64]).unwrap();
        assert!(entry.current().is_none());
    }
}
