//! The form of an export: a file that holds everything of a store, encrypted.
//!
//! ```text
//! "ASSAYEXP" | 1 (1 byte) | salt (32) | frames
//! frame: length of what follows (4 bytes, big endian) | AES-256-GCM of at most 1 MiB | tag (16)
//! ```
//! The key is HKDF-SHA256 of the export's key and the salt, with `assay store export` as info. The nonce of
//! a frame is three zero bytes, its number from 0 on (8 bytes, big endian), and 1 in the last byte if it is
//! the last frame, else 0: a frame that is missing, moved or added does not open, and an export that was
//! cut off has no last one (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
//!
//! Within are lines of JSON; see the module `dump`.

use std::io::{Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, rand};
use zeroize::Zeroizing;

use crate::{KeyEncryptionKey, StoreError};

const MAGIC: &[u8; 8] = b"ASSAYEXP";
const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const FRAME: usize = 1 << 20;
const TAG: usize = 16;

fn damaged(detail: impl Into<String>) -> StoreError {
    StoreError::Export { detail: detail.into() }
}

fn io(error: &std::io::Error) -> StoreError {
    StoreError::Io { detail: error.to_string() }
}

fn frame_key(key: &KeyEncryptionKey, salt: &[u8]) -> Result<LessSafeKey, StoreError> {
    let failed = |_| StoreError::Crypto { operation: "HKDF" };
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.expose());
    let okm = prk.expand(&[b"assay store export"], &AES_256_GCM).map_err(failed)?;
    Ok(LessSafeKey::new(UnboundKey::from(okm)))
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let [_, _, _, counter @ .., flag] = &mut bytes;
    *counter = number.to_be_bytes();
    *flag = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Writes an export.
pub(crate) struct ExportWriter<W> {
    out: W,
    key: LessSafeKey,
    number: u64,
    buffer: Zeroizing<Vec<u8>>,
}

impl<W: Write> ExportWriter<W> {
    pub(crate) fn new(mut out: W, key: &KeyEncryptionKey) -> Result<Self, StoreError> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).map_err(|_| StoreError::Crypto { operation: "random bytes" })?;
        let head = [MAGIC.as_slice(), &[VERSION], &salt].concat();
        out.write_all(&head).map_err(|e| io(&e))?;
        let buffer = Zeroizing::new(Vec::with_capacity(FRAME));
        Ok(ExportWriter { out, key: frame_key(key, &salt)?, number: 0, buffer })
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            // A full frame waits until it is known not to be the last.
            if self.buffer.len() == FRAME {
                self.frame(false)?;
            }
            let room = FRAME.saturating_sub(self.buffer.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn frame(&mut self, last: bool) -> Result<(), StoreError> {
        let mut sealed = std::mem::replace(&mut *self.buffer, Vec::with_capacity(FRAME));
        self.key
            .seal_in_place_append_tag(nonce(self.number, last), Aad::empty(), &mut sealed)
            .map_err(|_| StoreError::Crypto { operation: "AES-256-GCM seal" })?;
        self.number += 1;
        let length = u32::try_from(sealed.len()).map_err(|_| damaged("a frame is too large"))?;
        self.out.write_all(&length.to_be_bytes()).map_err(|e| io(&e))?;
        self.out.write_all(&sealed).map_err(|e| io(&e))
    }

    /// Writes the last frame. Without it the export is not complete, and no import takes it.
    pub(crate) fn finish(mut self) -> Result<W, StoreError> {
        self.frame(true)?;
        self.out.flush().map_err(|e| io(&e))?;
        Ok(self.out)
    }
}

/// Reads an export line by line.
pub(crate) struct ExportReader<R> {
    input: R,
    key: LessSafeKey,
    number: u64,
    ended: bool,
    buffer: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<R: Read> ExportReader<R> {
    pub(crate) fn new(mut input: R, key: &KeyEncryptionKey) -> Result<Self, StoreError> {
        let mut head = [0; 8 + 1 + SALT_LEN];
        input.read_exact(&mut head).map_err(|_| damaged("it is too short to be one"))?;
        let [magic @ .., _, _, _, _, _, _, _, _] = &head;
        if !magic.starts_with(MAGIC) {
            return Err(damaged("the file is not an export of a store"));
        }
        let (version, salt) = head.split_at(9);
        if version.last() != Some(&VERSION) {
            return Err(damaged("it is of a version that this program does not know"));
        }
        let key = frame_key(key, salt)?;
        let buffer = Zeroizing::new(Vec::new());
        Ok(ExportReader { input, key, number: 0, ended: false, buffer, at: 0 })
    }

    /// The next line without its end; `None` after the last. A line is at most `limit` bytes long.
    pub(crate) fn line(&mut self, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let mut line = Zeroizing::new(Vec::new());
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|b| *b == b'\n') {
                line.extend_from_slice(rest.get(..end).unwrap_or_default());
                self.at += end + 1;
                return Ok(Some(line));
            }
            line.extend_from_slice(rest);
            self.at = self.buffer.len();
            if line.len() > limit {
                return Err(damaged(format!("a record is longer than {limit} bytes")));
            }
            if self.ended {
                return if line.is_empty() { Ok(None) } else { Err(damaged("its last record has no end")) };
            }
            self.frame()?;
        }
    }

    fn frame(&mut self) -> Result<(), StoreError> {
        let number = self.number;
        let cut = |_| damaged(format!("it was cut off after {number} frames"));
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(cut)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(TAG..=FRAME + TAG).contains(&length) {
            return Err(damaged(format!("frame {number} has an impossible length")));
        }
        let mut sealed = Zeroizing::new(vec![0; length]);
        self.input.read_exact(&mut sealed).map_err(cut)?;
        let mut last = Zeroizing::new(sealed.to_vec());
        // Whether it is the last one is known from the seal alone.
        let opened =
            self.key.open_in_place(nonce(number, false), Aad::empty(), &mut sealed).ok().map(|o| o.len());
        let (content, length, ended) = match opened {
            Some(length) => (sealed, length, false),
            None => {
                let opened = self.key.open_in_place(nonce(number, true), Aad::empty(), &mut last);
                let length = opened.map_err(|_| self.unopened())?.len();
                (last, length, true)
            }
        };
        self.number += 1;
        self.ended = ended;
        self.buffer = content;
        self.buffer.truncate(length);
        self.at = 0;
        if ended && self.input.read(&mut [0; 1]).map_err(|e| io(&e))? != 0 {
            return Err(damaged("something follows its end"));
        }
        Ok(())
    }

    fn unopened(&self) -> StoreError {
        if self.number == 0 {
            damaged("it does not open with this key, or was altered")
        } else {
            damaged(format!("frame {} was altered", self.number))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::from_bytes([byte; 32])
    }

    fn written(lines: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = ExportWriter::new(Vec::new(), &key(1)).unwrap();
        for line in lines {
            writer.write(line).unwrap();
            writer.write(b"\n").unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8], key: &KeyEncryptionKey) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut reader = ExportReader::new(bytes, key)?;
        let mut lines = Vec::new();
        while let Some(line) = reader.line(1 << 24)? {
            lines.push(line.to_vec());
        }
        Ok(lines)
    }

    #[test]
    fn lines_of_every_size_come_back() {
        for size in [0, 1, FRAME - 2, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME] {
            let lines = vec![vec![b'x'; size], b"end".to_vec()];
            assert_eq!(read(&written(&lines), &key(1)).unwrap(), lines, "{size}");
        }
        assert_eq!(read(&written(&[]), &key(1)).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn cut_altered_moved_or_lengthened_exports_are_refused() {
        let lines = vec![vec![b'x'; FRAME + 100], b"end".to_vec()];
        let good = written(&lines);
        let message = |bytes: &[u8]| read(bytes, &key(1)).unwrap_err().to_string();
        for cut in [0, 8, 40, 41, 44, 100, FRAME, FRAME + 61, FRAME + 64, good.len() - 1] {
            let text = message(&good[..cut]);
            assert!(text.contains("cut off") || text.contains("too short"), "{cut}: {text}");
        }
        for at in [0, 8, 9, 41, 45, 1000, FRAME + 70, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad, &key(1)).is_err(), "{at}");
        }
        assert!(message(&[good.as_slice(), b"x"].concat()).contains("follows"));
        let frame = &good[41..41 + 4 + FRAME + TAG];
        let doubled = [&good[..41], frame, frame, &good[41 + frame.len()..]].concat();
        assert!(message(&doubled).contains("frame 1 was altered"));
        let without_first = [&good[..41], &good[41 + frame.len()..]].concat();
        assert!(read(&without_first, &key(1)).is_err());
        assert!(read(&good, &key(2)).unwrap_err().to_string().contains("does not open with this key"));
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes, &key(1)).is_err());
            let with_head = [MAGIC.as_slice(), &[VERSION], &[7; SALT_LEN], &bytes].concat();
            prop_assert!(read(&with_head, &key(1)).is_err());
        }
    }
}
