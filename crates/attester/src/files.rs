//! Reading files of the kernel, with a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::AttesterError;

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// [`AttesterError::Device`], [`AttesterError::Malformed`] when there is more.
pub fn read(path: &Path, max: usize) -> Result<Vec<u8>, AttesterError> {
    let bytes = read_some(path, max).map_err(|error| AttesterError::device("reading", path, error))?;
    at_most(path, bytes, max)
}

/// Reads a file of at most `max` bytes; `None` where there is no such file.
///
/// # Errors
/// As [`read`].
pub fn read_if_there(path: &Path, max: usize) -> Result<Option<Vec<u8>>, AttesterError> {
    match read_some(path, max) {
        Ok(bytes) => at_most(path, bytes, max).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AttesterError::device("reading", path, error)),
    }
}

/// At most `max` bytes and one more, so that the caller sees when there are too many.
pub(crate) fn read_some(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn at_most(path: &Path, bytes: Vec<u8>, max: usize) -> Result<Vec<u8>, AttesterError> {
    if bytes.len() <= max {
        return Ok(bytes);
    }
    let (what, why) = (path.display().to_string(), format!("it has more than {max} bytes"));
    Err(AttesterError::Malformed { what, why })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_absence_is_told_from_failure() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert_eq!(read_if_there(&path, 4).unwrap(), None);
        assert!(matches!(read(&path, 4), Err(AttesterError::Device { action: "reading", .. })));
        std::fs::write(&path, [1; 4]).unwrap();
        assert_eq!(read(&path, 4).unwrap(), [1; 4]);
        assert!(matches!(read(&path, 3), Err(AttesterError::Malformed { .. })));
        assert!(matches!(read_if_there(&path, 3), Err(AttesterError::Malformed { .. })));
        assert!(matches!(read_if_there(dir.path(), 3), Err(AttesterError::Device { .. })));
    }
}
