//! The admin key: a file that signs admin tokens, and the tokens it signs.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assay_token::{SigningAlgorithm, SigningKey, TokenError};
use assay_types::{SecretBytes, UnixTime};
use aws_lc_rs::rand;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::Role;

/// The usual name of the file, in the data folder.
pub const ADMIN_KEY_FILE: &str = "admin-key.json";

/// The longest life of an admin token, in seconds (a day); the server refuses longer ones.
pub const MAX_ADMIN_TOKEN_SECONDS: i64 = 86_400;

/// The issuer (`iss`) of admin tokens.
pub const ADMIN_ISSUER: &str = "assay-admin";

/// The longest file that is read.
const MAX_FILE: u64 = 16 << 10;

/// The content of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// `ES256`.
    algorithm: String,
    /// PKCS#8 in DER, standard base64.
    pkcs8: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.pkcs8.zeroize();
    }
}

/// Why the admin key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    /// The file cannot be opened, read or created.
    #[error("cannot use the admin key {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than its owner have access to the file.
    #[error("the admin key {} has mode {mode:03o}; others may not have access, set it to 600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("the admin key {} belongs to user {owner}, not to {user} or root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// The file does not hold an admin key.
    #[error("the admin key {} cannot be read: {why}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Never a part of the key.
        why: &'static str,
    },
    /// The life asked for is not between one second and a day.
    #[error("an admin token lives 1 to {MAX_ADMIN_TOKEN_SECONDS} seconds, not {found}")]
    Lifetime {
        /// The life asked for, in seconds.
        found: i64,
    },
    /// The cryptographic library failed, or the audience cannot be written.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// The key that signs admin tokens (ES256). Whoever can read its file is administrator.
pub struct AdminKey {
    key: SigningKey,
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminKey({})", self.key.kid())
    }
}

impl AdminKey {
    /// The key in the file at `path`; when there is no file, a new key is made and written (mode
    /// 0600). The bool says whether it was made now. Of two processes that start at once, both get
    /// the key of the first.
    ///
    /// # Errors
    /// [`AdminKeyError`].
    pub fn load_or_create(path: &Path) -> Result<(Self, bool), AdminKeyError> {
        match AdminKey::load(path) {
            Err(AdminKeyError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map(|key| (key, false)),
        }
        let key = SigningKey::generate(SigningAlgorithm::Es256)?;
        let file = KeyFile {
            algorithm: SigningAlgorithm::Es256.as_str().to_owned(),
            pkcs8: BASE64_STANDARD.encode(key.to_pkcs8()?.expose()),
        };
        let text = Zeroizing::new(serde_json::to_vec(&file).unwrap_or_default());
        match write_new(path, &text) {
            Ok(()) => Ok((AdminKey { key }, true)),
            // Another process was faster: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                AdminKey::load(path).map(|key| (key, false))
            }
            Err(error) => Err(AdminKeyError::File { path: path.to_owned(), error }),
        }
    }

    /// The key in the file at `path`.
    ///
    /// # Errors
    /// [`AdminKeyError`]; `File` with `NotFound` when there is none.
    pub fn load(path: &Path) -> Result<Self, AdminKeyError> {
        let failed = |error| AdminKeyError::File { path: path.to_owned(), error };
        let form = |why| AdminKeyError::Form { path: path.to_owned(), why };
        let file = File::open(path).map_err(failed)?;
        // The open file is looked at, not its name, so it cannot be exchanged in between.
        let status = file.metadata().map_err(failed)?;
        if !status.is_file() {
            return Err(form("it is not a regular file"));
        }
        let user = rustix::process::geteuid().as_raw();
        if status.uid() != user && status.uid() != 0 {
            return Err(AdminKeyError::Owner { path: path.to_owned(), owner: status.uid(), user });
        }
        let mode = status.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(AdminKeyError::Mode { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(Vec::new());
        file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
        let content: KeyFile =
            serde_json::from_slice(&text).map_err(|_| form("it is not {\"algorithm\",\"pkcs8\"} in JSON"))?;
        if content.algorithm != SigningAlgorithm::Es256.as_str() {
            return Err(form("its algorithm is not ES256"));
        }
        let pkcs8 = BASE64_STANDARD.decode(&content.pkcs8).map_err(|_| form("pkcs8 is not base64"))?;
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &SecretBytes::new(pkcs8))
            .map_err(|_| form("pkcs8 is not a private key on P-256"))?;
        Ok(AdminKey { key })
    }

    /// A key that is in no file.
    ///
    /// # Errors
    /// When the cryptographic library has no randomness.
    pub fn generate() -> Result<Self, AdminKeyError> {
        Ok(AdminKey { key: SigningKey::generate(SigningAlgorithm::Es256)? })
    }

    /// Mints a token for `role` that lives `seconds` from `now` on, for the server that calls itself
    /// `audience` ([`DEFAULT_AUDIENCE`](crate::DEFAULT_AUDIENCE) unless configured otherwise).
    ///
    /// # Errors
    /// [`AdminKeyError::Lifetime`] for a life beyond a day; [`AdminKeyError::Token`].
    pub fn mint(
        &self,
        role: Role,
        seconds: i64,
        audience: &str,
        now: UnixTime,
    ) -> Result<String, AdminKeyError> {
        if !(1..=MAX_ADMIN_TOKEN_SECONDS).contains(&seconds) {
            return Err(AdminKeyError::Lifetime { found: seconds });
        }
        let mut id = [0_u8; 12];
        rand::fill(&mut id).map_err(|_| TokenError::Cryptography { operation: "random bytes" })?;
        Ok(self.sign(&json!({
            "iss": ADMIN_ISSUER,
            "aud": audience,
            "iat": now.0,
            "nbf": now.0,
            "exp": now.plus(seconds).0,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
            "role": role,
        }))?)
    }

    /// Signs any claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, TokenError> {
        self.key.sign_jwt(&Map::new(), claims)
    }

    /// The public half.
    pub(super) fn public_jwk(&self) -> &assay_token::Jwk {
        self.key.public_jwk()
    }
}

/// Writes the whole file beside its place, then links it there, which fails when the name is taken.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut suffix = [0_u8; 8];
    rand::fill(&mut suffix).map_err(|_| io::Error::other("no random bytes"))?;
    let temporary = folder.join(format!(".new-admin-key-{}", BASE64_URL_SAFE_NO_PAD.encode(suffix)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file
        .set_permissions(fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    written?;
    removed?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_with_mode_0600() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADMIN_KEY_FILE);
        let (first, made) = AdminKey::load_or_create(&path).unwrap();
        assert!(made);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (second, made) = AdminKey::load_or_create(&path).unwrap();
        assert!(!made);
        assert_eq!(first.public_jwk(), second.public_jwk());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADMIN_KEY_FILE);
        AdminKey::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = AdminKey::load_or_create(&path).unwrap_err();
            assert!(matches!(error, AdminKeyError::Mode { mode: m, .. } if m == mode), "{error}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADMIN_KEY_FILE);
        for text in
            ["", "{}", "{\"algorithm\":\"ES256\",\"pkcs8\":\"!\"}", "{\"algorithm\":\"none\",\"pkcs8\":\"\"}"]
        {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = AdminKey::load_or_create(&path).unwrap_err();
            assert!(matches!(error, AdminKeyError::Form { .. }), "{text}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_token_lives_a_day_at_most() {
        let key = AdminKey::generate().unwrap();
        for seconds in [0, -1, MAX_ADMIN_TOKEN_SECONDS + 1, i64::MAX] {
            assert!(matches!(
                key.mint(Role::Admin, seconds, "a", UnixTime(0)),
                Err(AdminKeyError::Lifetime { .. })
            ));
        }
        assert!(key.mint(Role::Admin, MAX_ADMIN_TOKEN_SECONDS, "a", UnixTime(0)).is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = AdminKey::generate().unwrap();
        let pkcs8 = BASE64_STANDARD.encode(key.key.to_pkcs8().unwrap().expose());
        assert!(!pkcs8.contains(&format!("{key:?}")));
        assert!(format!("{key:?}").len() < 64);
    }
}
