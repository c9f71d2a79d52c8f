//! A cursor over bytes that says where it stands when something is missing.

use crate::EventLogError;

/// Reads little endian fields one after another.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, offset: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], EventLogError> {
        let rest = self.rest();
        let taken = rest.get(..len).ok_or(EventLogError::Truncated {
            offset: self.offset,
            field,
            expected: len,
            found: rest.len(),
        })?;
        // Cannot overflow: the slice exists.
        self.offset = self.offset.saturating_add(len);
        Ok(taken)
    }

    /// A reader of the next `len` bytes that counts offsets on, so that errors in it name the place
    /// in the whole.
    pub(crate) fn part(&mut self, len: usize, field: &'static str) -> Result<Reader<'a>, EventLogError> {
        let start = self.offset;
        self.take(len, field)?;
        Ok(Reader { bytes: self.bytes.get(..self.offset).unwrap_or_default(), offset: start })
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], EventLogError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, EventLogError> {
        self.array(field).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, EventLogError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, EventLogError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, EventLogError> {
        self.array(field).map(u64::from_le_bytes)
    }
}

/// A 32 bit size or count as `usize`; on a machine where it does not fit, more than there can be.
pub(crate) fn usize_from(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
