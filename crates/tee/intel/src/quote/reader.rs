//! Reading with the place at hand: whatever is missing is named with its offset.

use bytes::Bytes;

use super::QuoteError;
use super::layout::Field;

/// A part of a quote that is being read. Offsets count from the quote's first byte.
pub(super) struct Reader {
    whole: Bytes,
    at: usize,
    end: usize,
}

impl Reader {
    pub(super) fn new(whole: Bytes) -> Self {
        let end = whole.len();
        Reader { whole, at: 0, end }
    }

    /// Where the next field starts.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next `len` bytes, as the field of this name.
    pub(super) fn bytes(&mut self, field: &'static str, len: usize) -> Result<Bytes, QuoteError> {
        let start = self.at;
        let left = self.end.saturating_sub(start);
        let behind = start.checked_add(len).filter(|behind| *behind <= self.end);
        let taken = behind.and_then(|behind| self.whole.get(start..behind));
        let (Some(behind), Some(taken)) = (behind, taken) else {
            return Err(QuoteError::Truncated { field, offset: start, expected: len, found: left });
        };
        let bytes = self.whole.slice_ref(taken);
        self.at = behind;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], QuoteError> {
        let bytes = self.bytes(field, N)?;
        Ok(Field::take(&mut bytes.as_ref()))
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, QuoteError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// A u32 that says a length in bytes.
    pub(super) fn u32_length(&mut self, field: &'static str) -> Result<usize, QuoteError> {
        let length = u32::from_le_bytes(self.array(field)?);
        // Where it does not fit, it is longer than what is there as well.
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The structure of the next `len` bytes; reading goes on behind it.
    pub(super) fn inner(&mut self, field: &'static str, len: usize) -> Result<Reader, QuoteError> {
        let at = self.at;
        self.bytes(field, len)?;
        Ok(Reader { whole: self.whole.clone(), at, end: self.at })
    }

    /// Closes a structure whose length stands at `offset` in `field`: nothing is left in it.
    pub(super) fn close(self, field: &'static str, offset: usize, len: usize) -> Result<(), QuoteError> {
        let left = self.end.saturating_sub(self.at);
        if left == 0 {
            return Ok(());
        }
        Err(QuoteError::Length { field, offset, expected: len.saturating_sub(left), found: len })
    }
}
