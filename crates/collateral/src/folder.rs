//! The offline folder.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use assay_types::{CollateralOrigin, CollateralRequest};
use bytes::Bytes;

use crate::chain::plausible;
use crate::configuration_error::ConfigurationError;
use crate::error::AttemptOutcome;
use crate::issuer_chain::largest_piece;

/// Looks whether `path` is a folder that can be read.
pub(crate) fn check(path: PathBuf) -> Result<PathBuf, ConfigurationError> {
    let wrong = |cause: String| ConfigurationError::Folder { path: path.display().to_string(), cause };
    let metadata = fs::metadata(&path).map_err(|error| wrong(error.to_string()))?;
    if metadata.is_dir() { Ok(path) } else { Err(wrong("not a folder".to_owned())) }
}

/// The first of the request's files that is there.
pub(crate) fn read(
    root: &Path,
    request: &CollateralRequest,
) -> Result<(Bytes, CollateralOrigin), AttemptOutcome> {
    for relative in &request.offline_paths {
        let unreadable =
            |error: io::Error| AttemptOutcome::Unreadable { cause: format!("{relative}: {error}") };
        let named = named_below(root, relative)?;
        // Links are followed only as far as they stay within the folder. A link that is swapped
        // between here and the opening could lead out; who can do that owns the folder anyway.
        let path = match named.canonicalize() {
            Ok(path) => path,
            Err(error) if is_absence(&error) => continue,
            Err(error) => return Err(unreadable(error)),
        };
        if !path.starts_with(root.canonicalize().map_err(unreadable)?) {
            return Err(AttemptOutcome::NotLookedUp { why: "a link leads out of the folder" });
        }
        // Before it is opened: opening a pipe would wait for its other end.
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(AttemptOutcome::NotLookedUp { why: "not a regular file" });
        }
        let one_more = u64::try_from(largest_piece(request)).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .map_err(unreadable)?
            .take(one_more)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        plausible(&bytes, largest_piece(request))?;
        return Ok((Bytes::from(bytes), CollateralOrigin::Folder(relative.clone())));
    }
    Err(AttemptOutcome::Absent)
}

fn named_below(root: &Path, relative: &str) -> Result<PathBuf, AttemptOutcome> {
    let path = Path::new(relative);
    let plain = !relative.is_empty() && path.components().all(|c| matches!(c, Component::Normal(_)));
    if plain {
        Ok(root.join(path))
    } else {
        Err(AttemptOutcome::NotLookedUp { why: "the path is not a plain one below the folder" })
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
