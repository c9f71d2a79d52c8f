//! The token: the module, the login, and sessions that are used again.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{Pkcs11Error, Pkcs11Settings};

/// The longest PIN, in bytes.
const MAX_PIN: u64 = 1024;

/// A token of a PKCS#11 module. Its calls block.
pub(super) struct Token {
    settings: Pkcs11Settings,
    library: Mutex<Option<Pkcs11>>,
    idle: Mutex<Vec<Session>>,
    /// A PIN that the token did not take; held while a login runs, so that one runs at a time.
    refused: Mutex<Option<Zeroizing<String>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Token {
    pub(super) fn new(settings: Pkcs11Settings) -> Self {
        Token { settings, library: Mutex::new(None), idle: Mutex::new(Vec::new()), refused: Mutex::new(None) }
    }

    /// Runs `work` in a session that is logged in. Where the sessions turn out to be gone (the token was
    /// taken out, somebody logged out), it is run once more in a new one.
    pub(super) fn with_session<T>(
        &self,
        work: impl Fn(&Session) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        let idle = locked(&self.idle).pop();
        if let Some(session) = idle {
            let done = self.run(&session, &work);
            if !done.as_ref().is_err_and(Pkcs11Error::is_lost) {
                locked(&self.idle).push(session);
                return done;
            }
            tracing::warn!("the sessions of the PKCS#11 token are gone; logging in again");
            // The others went with it.
            locked(&self.idle).clear();
        }
        let session = self.open()?;
        let done = self.run(&session, &work);
        if !done.as_ref().is_err_and(Pkcs11Error::is_lost) {
            locked(&self.idle).push(session);
        }
        done
    }

    fn run<T>(
        &self,
        session: &Session,
        work: impl Fn(&Session) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        // Without a login private objects are not refused but invisible, as if they did not exist.
        if session.get_session_info()?.session_state() != SessionState::RwUser {
            return Err(Pkcs11Error::Lost { why: "the session is not logged in".to_owned() });
        }
        work(session)
    }

    fn open(&self) -> Result<Session, Pkcs11Error> {
        let library = self.library()?;
        let session = match self.open_with(&library) {
            // Somebody else in the process finalised the module: it is begun anew.
            Err(Pkcs11Error::Lost { .. }) => {
                *locked(&self.library) = None;
                self.open_with(&self.library()?)?
            }
            opened => opened?,
        };
        self.log_in(&session)?;
        Ok(session)
    }

    fn open_with(&self, library: &Pkcs11) -> Result<Session, Pkcs11Error> {
        let slot = self.slot(library)?;
        Ok(library.open_rw_session(slot)?)
    }

    fn library(&self) -> Result<Pkcs11, Pkcs11Error> {
        let mut library = locked(&self.library);
        if let Some(library) = library.as_ref() {
            return Ok(library.clone());
        }
        let module = &self.settings.module;
        let wrong = |why: String| Pkcs11Error::Module { module: module.clone(), why };
        // A bare name would be looked for along the system's search path.
        if !module.is_absolute() {
            return Err(wrong("the path must be absolute".to_owned()));
        }
        let loaded = Pkcs11::new(module).map_err(|error| wrong(error.to_string()))?;
        match loaded.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
        *library = Some(loaded.clone());
        Ok(loaded)
    }

    fn slot(&self, library: &Pkcs11) -> Result<Slot, Pkcs11Error> {
        let label = &self.settings.token_label;
        let (mut found, mut others) = (None, Vec::new());
        for slot in library.get_slots_with_token()? {
            // A token that is taken out at this moment is none of ours.
            let Ok(info) = library.get_token_info(slot) else { continue };
            if !info.token_initialized() {
                continue;
            }
            if info.label() != label {
                others.push(info.label().to_owned());
            } else if found.replace(slot).is_some() {
                return Err(Pkcs11Error::TokenAmbiguous { label: label.clone() });
            }
        }
        others.truncate(16);
        found.ok_or_else(|| Pkcs11Error::TokenNotFound { label: label.clone(), found: others })
    }

    /// Logs in where that has not been done: a login is the whole process's, not the session's.
    fn log_in(&self, session: &Session) -> Result<(), Pkcs11Error> {
        let mut refused = locked(&self.refused);
        if session.get_session_info()?.session_state() == SessionState::RwUser {
            return Ok(());
        }
        let pin = self.pin()?;
        if refused.as_ref() == Some(&pin) {
            let why = "as before".to_owned();
            return Err(Pkcs11Error::PinRefused { why });
        }
        let secret = AuthPin::from(pin.as_str());
        match session.login(UserType::User, Some(&secret)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                *refused = None;
                Ok(())
            }
            Err(error) => {
                let error = Pkcs11Error::from(error);
                if matches!(error, Pkcs11Error::PinRefused { .. }) {
                    *refused = Some(pin);
                }
                Err(error)
            }
        }
    }

    fn pin(&self) -> Result<Zeroizing<String>, Pkcs11Error> {
        let file = &self.settings.pin_file;
        read_pin(file).map_err(|why| Pkcs11Error::PinFile { file: file.clone(), why })
    }
}

/// The PIN in a file, without the line break at its end.
fn read_pin(file: &Path) -> Result<Zeroizing<String>, String> {
    // A pipe would block: the kind is asked before it is opened.
    if !std::fs::metadata(file).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    opened.take(MAX_PIN + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_PIN {
        return Err(format!("it is longer than {MAX_PIN} bytes"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(char::is_control) {
        return Err("it is not one line of text".to_owned());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_one_line_and_errors_do_not_show_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pin");
        std::fs::write(&file, "12 34\r\n").unwrap();
        assert_eq!(read_pin(&file).unwrap().as_str(), "12 34");
        for content in [&b""[..], b"\n", b"12\n34", b"12\x0034", b"12\xff", &[b'1'; 1025]] {
            std::fs::write(&file, content).unwrap();
            let why = read_pin(&file).unwrap_err();
            assert!(!why.contains("12") && !why.contains("111"), "{why}");
        }
        assert!(read_pin(dir.path()).is_err() && read_pin(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_module_by_a_bare_name_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let none = dir.path().join("none.so");
        std::fs::write(&none, "no library").unwrap();
        for module in [Path::new("libsofthsm2.so"), &none, &dir.path().join("missing.so")] {
            let token = Token::new(Pkcs11Settings::new(module, "label", dir.path().join("pin")));
            let error = token.with_session(|_| Ok(())).unwrap_err();
            assert!(matches!(error, Pkcs11Error::Module { .. }), "{error}");
        }
    }
}
