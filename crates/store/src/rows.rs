//! Reading columns, and statements over many rows.

use assay_types::UnixTime;

use crate::StoreError;
use crate::statement::Row;

pub(crate) use crate::statement::column;

/// The largest number of rows in one statement, as a power of two.
const MAX_EXPONENT: u32 = 5;

/// The column at `index`, a version, count or size.
pub(crate) fn number(row: &Row, index: usize) -> Result<u64, StoreError> {
    let value: i64 = column(row, index)?;
    u64::try_from(value).map_err(|_| StoreError::Corrupt { detail: format!("a number is {value}") })
}

/// The column at `index`, a time.
pub(crate) fn time(row: &Row, index: usize) -> Result<UnixTime, StoreError> {
    Ok(UnixTime(column(row, index)?))
}

/// A version or size as it is stored.
pub(crate) fn stored(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unexpected { detail: format!("{value} is too large") })
}

/// How many of `left` rows to put in the next statement: the largest power of two, at most 32.
/// So there are six statements of each kind, and each is prepared once.
pub(crate) fn next_batch(left: usize) -> usize {
    1 << left.max(1).ilog2().min(MAX_EXPONENT)
}

/// One statement text for each size that [`next_batch`] gives: `text(size)`.
pub(crate) struct Batched([String; 6]);

impl Batched {
    pub(crate) fn new(text: impl Fn(usize) -> String) -> Self {
        Batched([1, 2, 4, 8, 16, 32].map(text))
    }

    /// The statement for `size` rows.
    pub(crate) fn text(&'static self, size: usize) -> Result<&'static str, StoreError> {
        usize::try_from(size.max(1).ilog2())
            .ok()
            .and_then(|index| self.0.get(index))
            .map(String::as_str)
            .ok_or_else(|| StoreError::Unexpected { detail: format!("a batch of {size} rows") })
    }
}

/// `rows` copies of a row of placeholders. `row` gets the number of the row's first placeholder.
pub(crate) fn value_rows(rows: usize, columns: usize, row: impl Fn(usize) -> String) -> String {
    let texts: Vec<String> = (0..rows).map(|i| row(i * columns + 1)).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up_and_have_a_statement_each() {
        static TEXTS: std::sync::LazyLock<Batched> =
            std::sync::LazyLock::new(|| Batched::new(|n| n.to_string()));
        for total in 0_usize..200 {
            let mut left = total;
            while left > 0 {
                let size = next_batch(left);
                assert!(size <= left && size <= 32);
                assert_eq!(TEXTS.text(size).unwrap(), size.to_string());
                left -= size;
            }
        }
    }

    #[test]
    fn placeholders_count_on() {
        assert_eq!(value_rows(2, 2, |n| format!("(${n}, ${})", n + 1)), "($1, $2), ($3, $4)");
    }
}
