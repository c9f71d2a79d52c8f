//! Files that hold one credential.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{SecretText, VaultError};

/// The longest credential, in bytes: a JWT of a service account has about one thousand.
const MAX_CREDENTIAL: u64 = 64 << 10;

/// What tells one content of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// The stamp of a file, `None` where there is none.
pub(crate) async fn stamp(file: &Path) -> Option<Stamp> {
    let data = tokio::fs::metadata(file).await.ok()?;
    Some(Stamp { modified: data.modified().ok(), length: data.len(), inode: data.ino() })
}

/// The credential in a file, without the white space that editors leave around it.
pub(crate) async fn read(file: &Path) -> Result<SecretText, VaultError> {
    let wrong = |why: String| VaultError::CredentialFile { file: file.to_owned(), why };
    let path = file.to_owned();
    match tokio::task::spawn_blocking(move || read_blocking(&path)).await {
        Ok(read) => read.map_err(wrong),
        Err(_) => Err(wrong("reading it was broken off".to_owned())),
    }
}

fn read_blocking(file: &Path) -> Result<SecretText, String> {
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    let data = opened.metadata().map_err(|error| error.to_string())?;
    if !data.is_file() {
        return Err("it is no regular file".to_owned());
    }
    // Room for all that is read, so that no copy is left behind by growing.
    let room = usize::try_from(data.len().min(MAX_CREDENTIAL)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    opened.take(MAX_CREDENTIAL + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_CREDENTIAL {
        return Err(format!("it is longer than {MAX_CREDENTIAL} bytes"));
    }
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err("it is not one line of printable ASCII without spaces".to_owned());
    }
    let text = std::str::from_utf8(text).map_err(|_| "it is not ASCII".to_owned())?;
    Ok(SecretText::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_credential_is_one_word_and_errors_do_not_show_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, " hvs.secret\r\n").unwrap();
        assert_eq!(read(&file).await.unwrap().expose(), "hvs.secret");
        for (content, part) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"hvs.se cret", "printable"),
            (b"hvs.secret\nhvs.other", "printable"),
            (b"hvs.s\xff", "printable"),
            (&[b'h'; (64 << 10) + 1], "longer"),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = read(&file).await.unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hvs") && !error.contains("hhh"), "{error}");
        }
        assert!(read(dir.path()).await.unwrap_err().to_string().contains("no regular file"));
        assert!(read(&dir.path().join("none")).await.is_err());
    }

    #[tokio::test]
    async fn a_replaced_file_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let (file, new) = (dir.path().join("token"), dir.path().join("new"));
        assert_eq!(stamp(&file).await, None);
        std::fs::write(&file, "aaaa").unwrap();
        let before = stamp(&file).await;
        assert_eq!(stamp(&file).await, before);
        std::fs::write(&new, "bbbb").unwrap();
        std::fs::rename(&new, &file).unwrap();
        assert_ne!(stamp(&file).await, before);
    }
}
