//! The challenge, and the cookie it travels in.
//!
//! `auth` stores nothing: all it needs to know later is sealed into the cookie, base64url without
//! padding of
//! ```text
//! version 1 (1 byte) | key id (8) | nonce of the seal (12) | AES-256-GCM of what follows | tag (16)
//!     nonce (32) | session id (16) | issued (8, big endian) | ends (8, big endian) | TEE name
//! ```
//! with `assay session cookie`, the version and the key id as additional authenticated data. The
//! challenge of the passport interface is sealed in the same way under `assay passport challenge`, and is
//! the nonce itself: it is no secret, so it must never open as a cookie. The
//! keys are kept in the store, so restarts and replicas agree on them; a new one is made each day,
//! well before a key has sealed 2^32 cookies (NIST SP 800-38D, 8.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use assay_store::{KeyRecord, Store, StoreError};
use assay_types::{SecretBytes, Tee, UnixTime};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

use crate::RequestError;

/// The purpose of these keys in the store.
pub const SESSION_SEALING_PURPOSE: &str = "session-sealing";
const ALGORITHM: &str = "A256GCM";
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const HEADER_LEN: usize = 1 + KEY_ID_LEN;
/// More than the longest TEE name needs.
const MAX_COOKIE: usize = 256;

/// How long a key seals, in seconds.
const SEAL_FOR: i64 = 86_400;
/// How long a new key is in the store before it seals, in seconds: until then every replica has read it.
const READ_AHEAD: i64 = 5;

/// How far the clocks of replicas may differ, in seconds.
const SKEW: i64 = 60;

/// What a challenge is sealed for. One does not open as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// RCAR: the cookie, which stands for the session.
    Cookie,
    /// The passport interface: the challenge's own text, which everybody may know.
    Passport,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Cookie => b"assay session cookie",
            Purpose::Passport => b"assay passport challenge",
        }
    }

    fn forged(self, why: &'static str) -> RequestError {
        match self {
            Purpose::Cookie => RequestError::ForgedCookie { why },
            Purpose::Passport => RequestError::NotAChallenge { why },
        }
    }

    fn foreign(self) -> RequestError {
        match self {
            Purpose::Cookie => RequestError::ForeignCookie,
            Purpose::Passport => {
                RequestError::NotAChallenge { why: "it was sealed by another server, or too long ago" }
            }
        }
    }

    fn stale(self, ended: UnixTime, now: UnixTime) -> RequestError {
        match self {
            Purpose::Cookie => RequestError::StaleCookie { ended, now },
            Purpose::Passport => RequestError::StaleChallenge { ended, now },
        }
    }
}

/// A challenge, and the session it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    nonce: [u8; 32],
    session_id: [u8; 16],
    tee: Tee,
    issued: UnixTime,
    ends: UnixTime,
}

impl Challenge {
    /// A new challenge for `tee`, valid for `seconds`.
    pub(crate) fn new(tee: Tee, now: UnixTime, seconds: i64) -> Result<Self, RequestError> {
        let mut nonce = [0; 32];
        let mut session_id = [0; 16];
        rand::fill(&mut nonce)
            .and_then(|()| rand::fill(&mut session_id))
            .map_err(|_| RequestError::internal("no random bytes"))?;
        Ok(Challenge { nonce, session_id, tee, issued: now, ends: now.plus(seconds) })
    }

    /// The nonce as the guest gets it: standard base64, 44 characters.
    pub(crate) fn nonce(&self) -> String {
        BASE64_STANDARD.encode(self.nonce)
    }

    /// The TEE that `auth` was called for.
    pub(crate) fn tee(&self) -> Tee {
        self.tee
    }

    /// When the challenge and its session end.
    pub(crate) fn ends(&self) -> UnixTime {
        self.ends
    }

    /// The name of the challenge in the store: SHA-256 of the nonce.
    pub(crate) fn challenge_hash(&self) -> [u8; 32] {
        self.time_ordered(sha256(&self.nonce))
    }

    /// The name of the session in the store: SHA-256 of its id.
    pub(crate) fn session_hash(&self) -> [u8; 32] {
        self.time_ordered(sha256(&self.session_id))
    }

    /// Four bytes of the time of issue, then 224 bits of the hash: neighbours in time are neighbours
    /// in the store's index, which then writes few pages for many sessions.
    fn time_ordered(&self, hash: [u8; 32]) -> [u8; 32] {
        let [_, _, _, _, time @ ..] = self.issued.0.to_be_bytes();
        let [hash @ .., _, _, _, _] = hash;
        let mut out = [0; 32];
        let (head, tail) = out.split_at_mut(time.len());
        head.copy_from_slice(&time);
        tail.copy_from_slice(&hash);
        out
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAX_COOKIE);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.session_id);
        bytes.extend_from_slice(&self.issued.0.to_be_bytes());
        bytes.extend_from_slice(&self.ends.0.to_be_bytes());
        bytes.extend_from_slice(self.tee.as_str().as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (nonce, rest) = bytes.split_first_chunk()?;
        let (session_id, rest) = rest.split_first_chunk()?;
        let (issued, rest) = rest.split_first_chunk()?;
        let (ends, rest) = rest.split_first_chunk()?;
        Some(Challenge {
            nonce: *nonce,
            session_id: *session_id,
            tee: std::str::from_utf8(rest).ok()?.parse().ok()?,
            issued: UnixTime(i64::from_be_bytes(*issued)),
            ends: UnixTime(i64::from_be_bytes(*ends)),
        })
    }
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let hash = digest::digest(&digest::SHA256, bytes);
    out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

struct SealingKey {
    id: [u8; KEY_ID_LEN],
    key: RandomizedNonceKey,
    /// From when on it seals.
    from: UnixTime,
}

/// The keys of one reading.
struct Keys {
    newest: SealingKey,
    /// The newest of them first.
    older: Vec<SealingKey>,
    seal_until: UnixTime,
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// The key that seals: the newest whose time has come. The newest of all when none's has (the clock of
    /// whoever made it is ahead).
    fn sealing(&self, now: UnixTime) -> &SealingKey {
        self.all().find(|key| key.from <= now).unwrap_or(&self.newest)
    }
}

/// Seals challenges into cookies and opens them.
pub(crate) struct CookieSealer {
    store: Store,
    session_seconds: i64,
    keys: ArcSwap<Keys>,
    reload: Gate,
}

impl CookieSealer {
    /// Reads the keys, and makes the first where there is none.
    pub(crate) async fn load(
        store: Store,
        session_seconds: i64,
        now: UnixTime,
    ) -> Result<Self, RequestError> {
        store.first_key(SESSION_SEALING_PURPOSE, || new_key(session_seconds, now)).await?;
        let keys = read(&store).await?;
        let sealer =
            CookieSealer { store, session_seconds, keys: ArcSwap::from_pointee(keys), reload: Gate::new() };
        sealer.rotate_if_due(now).await?;
        Ok(sealer)
    }

    /// Makes a new key when the newest sealed long enough. The old ones still open.
    pub(crate) async fn rotate_if_due(&self, now: UnixTime) -> Result<bool, RequestError> {
        let keys = self.keys.load_full();
        if now < keys.seal_until {
            return Ok(false);
        }
        let key = new_key(self.session_seconds, now.plus(READ_AHEAD))?;
        // Other replicas find the same: one of them makes the key.
        let newest = BASE64_URL_SAFE_NO_PAD.encode(keys.newest.id);
        let made = self.store.put_next_key(key, &newest).await?;
        self.reload().await?;
        Ok(made)
    }

    /// Reads the keys again: another replica may have made one.
    pub(crate) async fn reload(&self) -> Result<(), RequestError> {
        let keys = read(&self.store).await?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The cookie's value.
    pub(crate) fn seal(&self, challenge: &Challenge) -> Result<String, RequestError> {
        self.seal_for(Purpose::Cookie, challenge)
    }

    /// The sealed challenge as text.
    pub(crate) fn seal_for(&self, purpose: Purpose, challenge: &Challenge) -> Result<String, RequestError> {
        let keys = self.keys.load();
        let failed = |_| RequestError::internal("sealing a cookie failed");
        let mut sealed = challenge.to_bytes();
        let sealing = keys.sealing(challenge.issued);
        let aad = aad(purpose, &sealing.id);
        let nonce = sealing.key.seal_in_place_append_tag(aad, &mut sealed).map_err(failed)?;
        let mut cookie = Vec::with_capacity(MAX_COOKIE);
        cookie.push(VERSION);
        cookie.extend_from_slice(&sealing.id);
        cookie.extend_from_slice(nonce.as_ref());
        cookie.extend_from_slice(&sealed);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(cookie))
    }

    /// The challenge in a cookie, if it is ours and has not ended.
    pub(crate) async fn open(&self, cookie: &str, now: UnixTime) -> Result<Challenge, RequestError> {
        self.open_for(Purpose::Cookie, cookie, now).await
    }

    /// The challenge in a text that was sealed for `purpose` here, if it has not ended.
    pub(crate) async fn open_for(
        &self,
        purpose: Purpose,
        cookie: &str,
        now: UnixTime,
    ) -> Result<Challenge, RequestError> {
        let forged = |why| purpose.forged(why);
        if cookie.len() > MAX_COOKIE {
            return Err(forged("too long"));
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cookie).map_err(|_| forged("not base64url"))?;
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or_else(|| forged("too short"))?;
        let [version, id @ ..] = header;
        if *version != VERSION {
            return Err(forged("unknown version"));
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(|| forged("too short"))?;
        let challenge = match open(&self.keys.load(), purpose, id, nonce, sealed) {
            Some(opened) => opened?,
            // Perhaps a replica's new key. Strangers can ask for this, so at most once a second.
            None if self.reload.pass(now) => {
                self.reload().await?;
                open(&self.keys.load(), purpose, id, nonce, sealed).ok_or_else(|| purpose.foreign())??
            }
            None => return Err(purpose.foreign()),
        };
        if now >= challenge.ends || challenge.issued > now.plus(SKEW) {
            return Err(purpose.stale(challenge.ends, now));
        }
        Ok(challenge)
    }
}

/// Opens with the key of that id; `None` when there is none.
fn open(
    keys: &Keys,
    purpose: Purpose,
    id: &[u8; KEY_ID_LEN],
    nonce: &[u8; NONCE_LEN],
    sealed: &[u8],
) -> Option<Result<Challenge, RequestError>> {
    let key = keys.all().find(|key| key.id == *id)?;
    let mut buffer = sealed.to_vec();
    let opened = key
        .key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(purpose, id), &mut buffer)
        .ok()
        .and_then(|bytes| Challenge::from_bytes(bytes));
    Some(opened.ok_or_else(|| purpose.forged("the seal does not hold")))
}

fn aad(purpose: Purpose, id: &[u8; KEY_ID_LEN]) -> Aad<Vec<u8>> {
    let label = purpose.label();
    let mut aad = Vec::with_capacity(label.len() + HEADER_LEN);
    aad.extend_from_slice(label);
    aad.push(VERSION);
    aad.extend_from_slice(id);
    Aad::from(aad)
}

/// Makes a new key for sealing cookies in a store, from outside of any server: servers that follow the store
/// read it at once, and seal with it some seconds later. Returns its id.
///
/// # Errors
/// When the store cannot be written.
pub async fn rotate_session_sealing_key(
    store: &Store,
    session_seconds: i64,
    now: UnixTime,
) -> Result<String, RequestError> {
    let key = new_key(session_seconds, now.plus(READ_AHEAD))?;
    let id = key.kid.clone();
    store.put_key(key).await?;
    Ok(id)
}

fn new_key(session_seconds: i64, now: UnixTime) -> Result<KeyRecord, RequestError> {
    let mut id = [0_u8; KEY_ID_LEN];
    let mut secret = vec![0_u8; AES_256_GCM.key_len()];
    let filled = rand::fill(&mut id).and_then(|()| rand::fill(&mut secret));
    let secret = SecretBytes::new(secret);
    filled.map_err(|_| RequestError::internal("no random bytes"))?;
    let seal_until = now.plus(SEAL_FOR);
    Ok(KeyRecord {
        purpose: SESSION_SEALING_PURPOSE.to_owned(),
        kid: BASE64_URL_SAFE_NO_PAD.encode(id),
        algorithm: ALGORITHM.to_owned(),
        secret,
        certificate: None,
        created: now,
        sign_until: seal_until,
        // Housekeeping may be late, so a key may seal a little longer than it should.
        expires: seal_until.plus(session_seconds).plus(SEAL_FOR),
    })
}

async fn read(store: &Store) -> Result<Keys, RequestError> {
    let damaged = || StoreError::Corrupt { detail: "a session-sealing key is malformed".to_owned() };
    let mut seal_until = None;
    let mut keys = Vec::new();
    for record in store.keys(SESSION_SEALING_PURPOSE).await? {
        let id = BASE64_URL_SAFE_NO_PAD.decode(&record.kid).ok().and_then(|id| id.try_into().ok());
        let key = RandomizedNonceKey::new(&AES_256_GCM, record.secret.expose()).ok();
        let (Some(id), Some(key), ALGORITHM) = (id, key, record.algorithm.as_str()) else {
            return Err(damaged().into());
        };
        seal_until.get_or_insert(record.sign_until);
        keys.push(SealingKey { id, key, from: record.created });
    }
    let mut keys = keys.into_iter();
    match (keys.next(), seal_until) {
        (Some(newest), Some(seal_until)) => Ok(Keys { newest, older: keys.collect(), seal_until }),
        _ => Err(StoreError::Corrupt { detail: "the store has no session-sealing key".to_owned() }.into()),
    }
}

/// Lets one pass each second, so that strangers cannot make the store work.
pub(crate) struct Gate(AtomicI64);

impl Gate {
    pub(crate) fn new() -> Self {
        Gate(AtomicI64::new(i64::MIN))
    }

    pub(crate) fn pass(&self, now: UnixTime) -> bool {
        self.0.fetch_max(now.0, Ordering::Relaxed) < now.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_store::{KeyEncryptionKey, StoreOptions};
    use assay_types::Coded as _;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    const NOW: UnixTime = UnixTime(1_750_000_000);

    async fn store(folder: &tempfile::TempDir) -> Store {
        let key_encryption_key = KeyEncryptionKey::from_bytes([7; 32]);
        let database = folder.path().join("store.db");
        Store::open(StoreOptions { database, key_encryption_key }).await.unwrap()
    }

    async fn refusal(sealer: &CookieSealer, cookie: &str, now: UnixTime) -> &'static str {
        sealer.open(cookie, now).await.err().map_or("", |error| error.code())
    }

    #[tokio::test]
    async fn a_cookie_opens_until_it_ends_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let sealer = CookieSealer::load(store.clone(), 300, NOW).await.unwrap();
        let challenge = Challenge::new(Tee::AzSnpVtpm, NOW, 300).unwrap();
        let cookie = sealer.seal(&challenge).unwrap();
        assert_eq!(challenge.nonce().len(), 44);
        let restarted = CookieSealer::load(store, 300, NOW).await.unwrap();
        for sealer in [&sealer, &restarted] {
            assert!(sealer.open(&cookie, NOW).await.unwrap() == challenge);
            assert!(sealer.open(&cookie, NOW.plus(299)).await.is_ok());
            assert_eq!(refusal(sealer, &cookie, NOW.plus(300)).await, "KBS-008");
            assert_eq!(refusal(sealer, &cookie, NOW.plus(-61)).await, "KBS-008");
        }
    }

    #[tokio::test]
    async fn any_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = CookieSealer::load(store(&folder).await, 300, NOW).await.unwrap();
        let cookie = sealer.seal(&Challenge::new(Tee::Snp, NOW, 300).unwrap()).unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&cookie).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let code = refusal(&sealer, &BASE64_URL_SAFE_NO_PAD.encode(changed), NOW).await;
            let expected = if (1..=8).contains(&index) { "KBS-007" } else { "KBS-006" };
            assert_eq!(code, expected, "byte {index}");
        }
        for length in 0..bytes.len() {
            let code = refusal(&sealer, &BASE64_URL_SAFE_NO_PAD.encode(&bytes[..length]), NOW).await;
            assert_eq!(code, "KBS-006", "{length} bytes");
        }
    }

    #[tokio::test]
    async fn another_servers_cookie_is_foreign() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let one = CookieSealer::load(store(&one).await, 300, NOW).await.unwrap();
        let two = CookieSealer::load(store(&two).await, 300, NOW).await.unwrap();
        let cookie = one.seal(&Challenge::new(Tee::Snp, NOW, 300).unwrap()).unwrap();
        assert_eq!(refusal(&two, &cookie, NOW).await, "KBS-007");
    }

    #[tokio::test]
    async fn what_is_sealed_for_one_purpose_does_not_open_for_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = CookieSealer::load(store(&folder).await, 300, NOW).await.unwrap();
        let challenge = Challenge::new(Tee::Snp, NOW, 300).unwrap();
        for (sealed, other, code) in
            [(Purpose::Cookie, Purpose::Passport, "KBS-046"), (Purpose::Passport, Purpose::Cookie, "KBS-006")]
        {
            let text = sealer.seal_for(sealed, &challenge).unwrap();
            assert!(sealer.open_for(sealed, &text, NOW).await.unwrap() == challenge);
            let refused = sealer.open_for(other, &text, NOW).await.err().unwrap();
            assert_eq!(refused.code(), code, "{sealed:?}");
        }
    }

    #[tokio::test]
    async fn keys_rotate_and_replicas_learn_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let one = CookieSealer::load(store.clone(), 300, NOW).await.unwrap();
        let two = CookieSealer::load(store.clone(), 300, NOW).await.unwrap();
        let before = one.seal(&Challenge::new(Tee::Snp, NOW, 300_000).unwrap()).unwrap();
        assert!(!one.rotate_if_due(NOW.plus(SEAL_FOR - 1)).await.unwrap());
        let later = NOW.plus(SEAL_FOR);
        assert!(one.rotate_if_due(later).await.unwrap());
        assert!(!two.rotate_if_due(later).await.unwrap(), "one of them made it");
        let still = one.seal(&Challenge::new(Tee::Snp, later, 300).unwrap()).unwrap();
        assert_eq!(before[..12], still[..12], "it is read before it is used");
        let later = later.plus(READ_AHEAD);
        let after = one.seal(&Challenge::new(Tee::Snp, later, 300).unwrap()).unwrap();
        assert_ne!(before[..12], after[..12]);
        for sealer in [&one, &two] {
            assert!(sealer.open(&after, later).await.is_ok());
            assert!(sealer.open(&before, later).await.is_ok());
        }
    }

    #[test]
    fn the_gate_opens_once_a_second() {
        let gate = Gate::new();
        assert!(gate.pass(NOW));
        assert!(!gate.pass(NOW));
        assert!(!gate.pass(NOW.plus(-5)));
        assert!(gate.pass(NOW.plus(1)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(Challenge::from_bytes(&bytes).is_none() || bytes.len() > 64);
        }

        #[test]
        fn bytes_come_back(nonce in any::<[u8; 32]>(), id in any::<[u8; 16]>(), issued in any::<i64>(), ends in any::<i64>(), tee in 0..14_usize) {
            let challenge = Challenge {
                nonce, session_id: id, tee: Tee::ALL[tee], issued: UnixTime(issued), ends: UnixTime(ends),
            };
            prop_assert_eq!(Challenge::from_bytes(&challenge.to_bytes()) == Some(challenge), true);
        }
    }
}
