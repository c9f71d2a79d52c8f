//! What is shown to another part, from its files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use assay_types::{Digest, SecretBytes};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use zeroize::Zeroizing;

use crate::{RemoteError, RemoteSettings};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The longest token.
const MAX_TOKEN: usize = 16 << 10;

/// The contents of the files that the settings name.
pub(crate) struct Files {
    authority: Option<SecretBytes>,
    identity: Option<(SecretBytes, SecretBytes)>,
    token: Option<SecretBytes>,
    /// Over all of them, to find changes.
    pub(crate) digest: Digest,
}

impl Files {
    pub(crate) fn read(settings: &RemoteSettings) -> Result<Self, RemoteError> {
        let read = |setting, file: &Option<PathBuf>| {
            file.as_deref().map(|file| read(settings, setting, file)).transpose()
        };
        let authority = read("ca_certificate", &settings.ca_certificate)?;
        let certificate = read("client_certificate", &settings.client_certificate)?;
        let key = read("client_key", &settings.client_key)?;
        let token = read("token_file", &settings.token_file)?;
        let mut all = Zeroizing::new(Vec::new());
        for file in [&authority, &certificate, &key, &token] {
            let digest = file.as_ref().map(|bytes| Digest::sha384(bytes.expose()));
            all.extend_from_slice(format!("{digest:?}\n").as_bytes());
        }
        let digest = Digest::sha384(&all);
        Ok(Files { authority, identity: certificate.zip(key), token, digest })
    }

    /// The TLS settings, where there is an authority to believe.
    pub(crate) fn tls(&self) -> Option<ClientTlsConfig> {
        let authority = self.authority.as_ref()?;
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.expose()));
        Some(match &self.identity {
            Some((certificate, key)) => {
                config.identity(Identity::from_pem(certificate.expose(), key.expose()))
            }
            None => config,
        })
    }

    /// The header that shows the token.
    pub(crate) fn bearer(
        &self,
        settings: &RemoteSettings,
    ) -> Result<Option<AsciiMetadataValue>, RemoteError> {
        let Some(token) = &self.token else { return Ok(None) };
        let wrong = |why| settings.wrong("token_file", why);
        let text = std::str::from_utf8(token.expose()).map_err(|_| wrong("it is no text"))?.trim();
        if text.is_empty() || text.len() > MAX_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it holds no token: printable ASCII characters, at most 16384, and no space"));
        }
        let header = Zeroizing::new(format!("Bearer {text}"));
        let mut value =
            AsciiMetadataValue::try_from(header.as_str()).map_err(|_| wrong("it holds no token"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn read(settings: &RemoteSettings, setting: &'static str, file: &Path) -> Result<SecretBytes, RemoteError> {
    let wrong = |why: String| settings.wrong(setting, &format!("{}: {why}", file.display()));
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong(error.to_string()))?;
    let bytes = SecretBytes::new(bytes);
    if u64::try_from(bytes.expose().len()).is_ok_and(|len| len > MAX_FILE) {
        return Err(wrong(format!("it has more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}
