//! The admin key, and the tokens it signs.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use assay_token::{SigningAlgorithm, SigningKey, TokenError};
use assay_types::{SecretBytes, UnixTime};
use aws_lc_rs::rand;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::{AdminKeyError, Role};

/// The name, in the data folder, of the file that earlier releases kept the admin key in.
pub const ADMIN_KEY_FILE: &str = "admin-key.json";

/// The longest life of an admin token, in seconds (a day); the server refuses longer ones.
pub const MAX_ADMIN_TOKEN_SECONDS: i64 = 86_400;

/// The issuer (`iss`) of admin tokens.
pub const ADMIN_ISSUER: &str = "assay-admin";

/// The longest file that is read.
const MAX_FILE: u64 = 16 << 10;

/// The content of that file.
#[derive(Deserialize)]
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

/// A key that signs admin tokens (ES256). Whoever has it is administrator.
pub struct AdminKey {
    key: SigningKey,
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminKey({})", self.key.kid())
    }
}

impl AdminKey {
    /// The key in a file of an earlier release.
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

    /// A new key.
    ///
    /// # Errors
    /// When the cryptographic library has no randomness.
    pub fn generate() -> Result<Self, AdminKeyError> {
        Ok(AdminKey { key: SigningKey::generate(SigningAlgorithm::Es256)? })
    }

    /// The key whose private half is `pkcs8` (DER).
    ///
    /// # Errors
    /// When it is not a private key on P-256.
    pub fn from_pkcs8(pkcs8: &SecretBytes) -> Result<Self, AdminKeyError> {
        Ok(AdminKey { key: SigningKey::from_pkcs8(SigningAlgorithm::Es256, pkcs8)? })
    }

    /// The private half (PKCS#8, DER).
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn to_pkcs8(&self) -> Result<SecretBytes, AdminKeyError> {
        Ok(self.key.to_pkcs8()?)
    }

    /// Its id: the thumbprint of the public half (RFC 7638).
    pub fn kid(&self) -> &str {
        self.key.kid()
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
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, TokenError> {
        self.key.sign_jwt(&Map::new(), claims)
    }

    /// The public half.
    pub(crate) fn public_jwk(&self) -> &assay_token::Jwk {
        self.key.public_jwk()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(path: &Path, mode: u32, text: &str) {
        let _ = fs::remove_file(path);
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn file_of(key: &AdminKey) -> String {
        let pkcs8 = BASE64_STANDARD.encode(key.to_pkcs8().unwrap().expose());
        json!({"algorithm": "ES256", "pkcs8": pkcs8}).to_string()
    }

    #[test]
    fn a_file_is_read_unless_others_can_read_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADMIN_KEY_FILE);
        assert!(matches!(
            AdminKey::load(&path),
            Err(AdminKeyError::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound
        ));
        let key = AdminKey::generate().unwrap();
        write(&path, 0o600, &file_of(&key));
        let read = AdminKey::load(&path).unwrap();
        assert_eq!((read.kid(), read.public_jwk()), (key.kid(), key.public_jwk()));
        for mode in [0o640, 0o604, 0o660, 0o620, 0o601] {
            write(&path, mode, &file_of(&key));
            let error = AdminKey::load(&path).unwrap_err();
            assert!(matches!(error, AdminKeyError::Mode { mode: m, .. } if m == mode), "{error}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ADMIN_KEY_FILE);
        for text in
            ["", "{}", "{\"algorithm\":\"ES256\",\"pkcs8\":\"!\"}", "{\"algorithm\":\"none\",\"pkcs8\":\"\"}"]
        {
            write(&path, 0o600, text);
            let error = AdminKey::load(&path).unwrap_err();
            assert!(matches!(error, AdminKeyError::Form { .. }), "{text}: {error}");
        }
        assert!(matches!(
            AdminKey::load(folder.path()),
            Err(AdminKeyError::Form { .. } | AdminKeyError::Mode { .. })
        ));
    }

    #[test]
    fn pkcs8_goes_there_and_back() {
        let key = AdminKey::generate().unwrap();
        let again = AdminKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert!(AdminKey::from_pkcs8(&SecretBytes::new(vec![1, 2, 3])).is_err());
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
        let pkcs8 = BASE64_STANDARD.encode(key.to_pkcs8().unwrap().expose());
        assert!(!pkcs8.contains(&format!("{key:?}")));
        assert!(format!("{key:?}").len() < 64);
    }
}
