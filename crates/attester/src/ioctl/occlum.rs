//! `/dev/sgx` of Occlum, a library operating system for enclaves (Occlum, `src/libos/src/fs/dev_fs/dev_sgx`, and
//! the header of its DCAP demonstration).

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use rustix::ioctl::{Opcode, opcode};

use super::{malformed, open, update};
use crate::AttesterError;
use crate::patience::Patience;

/// `sgxioc_gen_dcap_quote_arg_t`, three pointers.
#[repr(C)]
struct QuoteArguments {
    report_data: *const [u8; 64],
    /// In: the length of the buffer in bytes; out: that of the quote.
    quote_len: *mut u32,
    quote_buf: *mut u8,
}

const SGXIOC_GET_DCAP_QUOTE_SIZE: Opcode = opcode::read::<u32>(b's', 7);
const SGXIOC_GEN_DCAP_QUOTE: Opcode = opcode::read_write::<QuoteArguments>(b's', 8);

/// The longest quote that is asked for, in bytes (128 KiB). Quotes have about 5 KiB.
pub const MAX_QUOTE_LEN: u32 = 128 << 10;

/// Asks for a quote with these report data.
///
/// # Errors
/// [`AttesterError::Device`], [`AttesterError::Deadline`]; [`AttesterError::Malformed`] for lengths that cannot be.
pub fn quote(path: &Path, report_data: &[u8; 64], deadline: Instant) -> Result<Vec<u8>, AttesterError> {
    let (file, patience) = (open(path)?, Patience::until(deadline));
    let size = patience.retry("asking", path, || size(&file))?;
    if !(1..=MAX_QUOTE_LEN).contains(&size) {
        let why = format!("the length of a quote is said to be {size}; expected 1 to {MAX_QUOTE_LEN} bytes");
        return Err(malformed(path, why));
    }
    let (quote, len) = patience.retry("asking", path, || generate(&file, report_data, size))?;
    cut(quote, len).map_err(|why| malformed(path, why))
}

fn size(file: &File) -> io::Result<u32> {
    let mut size = 0_u32;
    // SAFETY: the opcode takes a `uint32_t`.
    unsafe { update::<SGXIOC_GET_DCAP_QUOTE_SIZE, _>(file, &mut size) }?;
    Ok(size)
}

/// The buffer, and how much of it is said to be the quote.
fn generate(file: &File, report_data: &[u8; 64], size: u32) -> io::Result<(Vec<u8>, u32)> {
    let mut quote = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    let mut len = size;
    let mut arguments =
        QuoteArguments { report_data, quote_len: &raw mut len, quote_buf: quote.as_mut_ptr() };
    // SAFETY: the opcode takes a `sgxioc_gen_dcap_quote_arg_t`. What it points to is alive until the end of this
    // function, and the buffer has as many bytes as `len` says.
    unsafe { update::<SGXIOC_GEN_DCAP_QUOTE, _>(file, &mut arguments) }?;
    Ok((quote, len))
}

fn cut(mut quote: Vec<u8>, len: u32) -> Result<Vec<u8>, String> {
    let found = usize::try_from(len).unwrap_or(usize::MAX);
    if found == 0 || found > quote.len() {
        return Err(format!("the quote is said to have {found} bytes, in a buffer of {}", quote.len()));
    }
    quote.truncate(found);
    Ok(quote)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn opcodes_are_those_of_occlum() {
        assert_eq!(SGXIOC_GET_DCAP_QUOTE_SIZE, 0x8004_7307);
        assert_eq!(SGXIOC_GEN_DCAP_QUOTE, 0xc018_7308);
    }

    #[test]
    fn a_length_beyond_the_buffer_is_refused() {
        assert_eq!(cut(vec![1, 2, 3], 2).unwrap(), [1, 2]);
        assert_eq!(cut(vec![1, 2, 3], 3).unwrap(), [1, 2, 3]);
        assert!(cut(vec![1, 2, 3], 4).is_err());
        assert!(cut(vec![1, 2, 3], 0).is_err());
    }
}
