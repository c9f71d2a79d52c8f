//! The key-encryption key and the file it lives in.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assay_types::SecretBytes;
use aws_lc_rs::{hmac, rand};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use zeroize::Zeroizing;

use crate::StoreError;
use crate::private_files::{create_private_folder, parent_folder};

/// Standard base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The length of the key in bytes.
const KEY_LEN: usize = 32;

/// The 256-bit key that all data-encryption keys are sealed with. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct KeyEncryptionKey {
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({})", self.id())
    }
}

impl KeyEncryptionKey {
    /// Takes 32 bytes from elsewhere (an environment variable, a KMS). They must be random.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        KeyEncryptionKey { bytes: Zeroizing::new(bytes) }
    }

    /// A new key.
    pub(crate) fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| StoreError::Crypto { operation: "random bytes" })?;
        Ok(KeyEncryptionKey { bytes })
    }

    /// The key of these bytes; `None` when they are not 32.
    pub(crate) fn from_secret(secret: &SecretBytes) -> Option<Self> {
        <[u8; KEY_LEN]>::try_from(secret.expose()).ok().map(KeyEncryptionKey::from_bytes)
    }

    /// The bytes, for a service that seals them.
    pub(crate) fn to_secret(&self) -> SecretBytes {
        SecretBytes::new(self.bytes.to_vec())
    }

    /// The key in text: 64 hexadecimal digits, or base64 of 32 bytes (with or without padding, standard
    /// alphabet). White space around it is passed over.
    ///
    /// # Errors
    /// [`StoreError::KeyText`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        let bytes = Zeroizing::new(match text.len() {
            64 => hex::decode(text).unwrap_or_default(),
            43 | 44 => BASE64.decode(text).unwrap_or_default(),
            _ => Vec::new(),
        });
        <[u8; KEY_LEN]>::try_from(bytes.as_slice())
            .map(KeyEncryptionKey::from_bytes)
            .map_err(|_| StoreError::KeyText { found: text.chars().count() })
    }

    /// The key in the file at `path`: exactly 32 raw bytes. When there is no file, a new key is made
    /// and the file written whole (mode 0600, whatever the umask) before it appears under its name;
    /// of two processes that start at once, both get the key of the first.
    ///
    /// A folder that is missing is created with mode 0700.
    ///
    /// # Errors
    /// `KeyFileMode` when group or others have any access, `KeyFileOwner` when it belongs to neither
    /// this user nor root, `KeyFileForm` when it is not a regular file of 32 bytes,
    /// `KeyFileNotAccessible` when it cannot be opened or created.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn fmt::Display| StoreError::KeyFileNotAccessible {
            path: path.to_owned(),
            detail: error.to_string(),
        };
        match open_for_reading(path) {
            Ok(file) => return read_key(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&error)),
        }
        let made = KeyEncryptionKey::generate()?;
        let folder = parent_folder(path);
        create_private_folder(&folder).map_err(|error| failed(&error))?;
        match write_key(path, &folder, made.expose()) {
            Ok(()) => Ok(made),
            // Another process was faster: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = open_for_reading(path).map_err(|error| failed(&error))?;
                read_key(path, file)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// A name for the key that tells nothing about it: the first 8 bytes of
    /// HMAC-SHA256(key, "assay key id"), in hexadecimal.
    pub fn id(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_slice());
        let tag = hmac::sign(&key, b"assay key id");
        hex::encode(tag.as_ref().get(..8).unwrap_or_default())
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

fn open_for_reading(path: &Path) -> io::Result<File> {
    // NONBLOCK: opening a named pipe must not wait for a writer. What it is, is checked afterwards.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn read_key(path: &Path, file: File) -> Result<KeyEncryptionKey, StoreError> {
    let failed = |error: io::Error| StoreError::KeyFileNotAccessible {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let form = |detail: String| StoreError::KeyFileForm { path: path.to_owned(), detail };

    // The open file is looked at, not its name, so it cannot be exchanged in between.
    let status = rustix::fs::fstat(&file).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(form("it is not a regular file".to_owned()));
    }
    let user = rustix::process::geteuid().as_raw();
    if status.st_uid != user && status.st_uid != 0 {
        return Err(StoreError::KeyFileOwner { path: path.to_owned(), owner: status.st_uid, user });
    }
    let mode = status.st_mode & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyFileMode { path: path.to_owned(), mode });
    }
    let mut content = Zeroizing::new(Vec::with_capacity(KEY_LEN + 1));
    let limit = u64::try_from(KEY_LEN + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut content).map_err(failed)?;
    match <[u8; KEY_LEN]>::try_from(content.as_slice()) {
        Ok(bytes) => Ok(KeyEncryptionKey::from_bytes(bytes)),
        Err(_) if content.len() > KEY_LEN => Err(form("it is longer".to_owned())),
        Err(_) => Err(form(format!("it has {}", content.len()))),
    }
}

/// Writes the whole file beside its place, then links it there, which fails when the name is taken.
fn write_key(path: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut suffix = [0_u8; 8];
    rand::fill(&mut suffix).map_err(|_| io::Error::other("no random bytes"))?;
    let temporary = folder.join(format!(".new-key-{}", hex::encode(suffix)));

    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(rustix::fs::open(&temporary, flags, mode)?);
    let written = file
        .set_permissions(std::fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(rustix::fs::linkat(CWD, &temporary, CWD, path, AtFlags::empty())?));
    let removed = std::fs::remove_file(&temporary);
    written?;
    removed?;
    File::open(folder)?.sync_all()
}
