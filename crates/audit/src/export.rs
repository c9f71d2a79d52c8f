//! A log as text that is verified elsewhere: JSON Lines.
//!
//! ```text
//! {"export":{"format":"assay-audit-export/1","time":"2026-11-27T12:00:00Z"}}
//! {"key":{…}}                                  a public key (JWK); believed only if it is known otherwise
//! {"head":{"chain":…,"hash":…,"length":…,"updated":…},"signature":"…"}
//! {"record":{…},"hash":"…"}                    the record's text byte for byte, and its hash
//! {"end":{"heads":1,"records":1}}
//! ```

use std::io::{BufRead, Read as _, Write};

use assay_store::AuditRow;
use assay_token::Jwk;
use assay_types::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::record::Outline;
use crate::{
    AuditError, AuditKeys, Expectations, Head, MAX_RECORD_BYTES, RecordHash, Report, SignedHead, Verifier,
};

/// The first line's word for what follows.
pub const EXPORT_FORMAT: &str = "assay-audit-export/1";

/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = MAX_RECORD_BYTES + 1024;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportLine {
    /// A key that signed heads, as the exporter says.
    Key(Jwk),
    /// The head of a chain.
    Head(SignedHead),
    /// A record.
    Record(AuditRow),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginning {
    format: String,
    time: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    heads: u64,
    records: u64,
}

/// Every member that a line can have.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<Beginning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<RecordHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Counts>,
}

/// Writes an export.
pub struct ExportWriter<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> ExportWriter<W> {
    /// Begins.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn new(out: W, now: UnixTime, keys: &[Jwk]) -> Result<Self, AuditError> {
        let mut writer = ExportWriter { out, counts: Counts::default() };
        let export = Beginning { format: EXPORT_FORMAT.to_owned(), time: now.to_string() };
        writer.line(&Line { export: Some(export), ..Line::default() })?;
        for key in keys {
            let text = serde_json::to_string(key).and_then(RawValue::from_string).map_err(io)?;
            writer.line(&Line { key: Some(text), ..Line::default() })?;
        }
        Ok(writer)
    }

    /// Writes a head.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn head(&mut self, head: &SignedHead) -> Result<(), AuditError> {
        self.counts.heads = self.counts.heads.saturating_add(1);
        let signature = Some(head.signature.clone());
        self.line(&Line { head: Some(head.head.clone()), signature, ..Line::default() })
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`AuditError::Io`], also when its text is not JSON: verify the store itself then.
    pub fn record(&mut self, row: &AuditRow) -> Result<(), AuditError> {
        self.counts.records = self.counts.records.saturating_add(1);
        let record = Some(RawValue::from_string(row.record.clone()).map_err(io)?);
        self.line(&Line { record, hash: Some(row.hash.into()), ..Line::default() })
    }

    /// Ends. Gives how many records there are.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn finish(mut self) -> Result<u64, AuditError> {
        self.line(&Line { end: Some(self.counts), ..Line::default() })?;
        self.out.flush().map_err(io)?;
        Ok(self.counts.records)
    }

    fn line(&mut self, line: &Line) -> Result<(), AuditError> {
        let mut text = serde_json::to_vec(line).map_err(io)?;
        text.push(b'\n');
        self.out.write_all(&text).map_err(io)
    }
}

fn io(error: impl std::fmt::Display) -> AuditError {
    AuditError::Io { why: error.to_string() }
}

/// Reads an export, line by line, in bounded memory.
pub struct ExportReader<R> {
    input: R,
    line: u64,
    counts: Counts,
    ended: bool,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`AuditError::Export`] when it is no export of a known form.
    pub fn new(input: R) -> Result<Self, AuditError> {
        let mut reader = ExportReader { input, line: 0, counts: Counts::default(), ended: false };
        let first =
            reader.next_text()?.ok_or_else(|| AuditError::Truncated { why: "it is empty".to_owned() })?;
        match reader.parse(&first)?.export {
            Some(begin) if begin.format == EXPORT_FORMAT => Ok(reader),
            Some(begin) => {
                let found: String = begin.format.chars().take(64).collect();
                Err(reader.wrong(format!("the format {found:?} is not {EXPORT_FORMAT:?}")))
            }
            None => Err(reader.wrong("an export begins with the member export")),
        }
    }

    /// The next line; `None` after the end.
    ///
    /// # Errors
    /// [`AuditError::Export`], [`AuditError::Truncated`], [`AuditError::Io`].
    pub fn next_line(&mut self) -> Result<Option<ExportLine>, AuditError> {
        let Some(text) = self.next_text()? else {
            if self.ended {
                return Ok(None);
            }
            return Err(AuditError::Truncated { why: "the line with the end is missing".to_owned() });
        };
        if self.ended {
            return Err(self.wrong("it stands after the end"));
        }
        let line = self.parse(&text)?;
        match line {
            Line {
                key: Some(key),
                head: None,
                signature: None,
                record: None,
                hash: None,
                export: None,
                end: None,
            } => {
                let key = Jwk::from_json(key.get()).map_err(|error| self.wrong(error))?;
                Ok(Some(ExportLine::Key(key)))
            }
            Line {
                head: Some(head),
                signature: Some(signature),
                key: None,
                record: None,
                hash: None,
                export: None,
                end: None,
            } => {
                self.counts.heads = self.counts.heads.saturating_add(1);
                Ok(Some(ExportLine::Head(SignedHead { head, signature })))
            }
            Line {
                record: Some(record),
                hash: Some(hash),
                key: None,
                head: None,
                signature: None,
                export: None,
                end: None,
            } => {
                self.counts.records = self.counts.records.saturating_add(1);
                let outline = Outline::read(record.get()).map_err(|why| self.wrong(why))?;
                Ok(Some(ExportLine::Record(AuditRow {
                    chain: *outline.chain.as_bytes(),
                    seq: outline.seq,
                    time: outline.time,
                    kind: outline.event.kind,
                    record: record.get().to_owned(),
                    hash: *hash.as_bytes(),
                })))
            }
            Line {
                end: Some(end),
                key: None,
                head: None,
                signature: None,
                record: None,
                hash: None,
                export: None,
            } => {
                if end != self.counts {
                    let Counts { heads, records } = self.counts;
                    return Err(AuditError::Truncated {
                        why: format!(
                            "{heads} heads and {records} records are there, it was written with {} and {}",
                            end.heads, end.records
                        ),
                    });
                }
                self.ended = true;
                self.next_line()
            }
            _ => Err(self.wrong("its members do not belong together")),
        }
    }

    fn next_text(&mut self) -> Result<Option<String>, AuditError> {
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        self.line = self.line.saturating_add(1);
        self.input.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(io)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.pop() != Some(b'\n') {
            if bytes.len() >= MAX_LINE_BYTES {
                return Err(self.wrong(format!("it is longer than {MAX_LINE_BYTES} bytes")));
            }
            return Err(AuditError::Truncated { why: format!("line {} has no end", self.line) });
        }
        String::from_utf8(bytes).map(Some).map_err(|_| self.wrong("it is not UTF-8"))
    }

    fn parse(&self, text: &str) -> Result<Line, AuditError> {
        serde_json::from_str(text).map_err(|error| self.wrong(error))
    }

    fn wrong(&self, why: impl ToString) -> AuditError {
        AuditError::Export { line: self.line, why: why.to_string() }
    }
}

/// Verifies an export with keys from elsewhere, and against heads that were exported earlier. `open`
/// is called twice: what chains say of each other is read first.
///
/// # Errors
/// When it cannot be read as an export; that is a broken place as well.
pub fn verify_export<R: BufRead>(
    open: impl Fn() -> Result<R, AuditError>,
    keys: &AuditKeys,
    earlier: &[SignedHead],
) -> Result<Report, AuditError> {
    let mut expected = Expectations::new();
    earlier.iter().for_each(|head| expected.earlier_head(head));
    let mut heads = Vec::new();
    let mut reader = ExportReader::new(open()?)?;
    while let Some(line) = reader.next_line()? {
        match line {
            ExportLine::Key(_) => {}
            ExportLine::Head(head) => heads.push(head),
            ExportLine::Record(row) => expected.read(&row),
        }
    }
    let mut verifier = Verifier::new(keys, heads, expected);
    let mut reader = ExportReader::new(open()?)?;
    while let Some(line) = reader.next_line()? {
        if let ExportLine::Record(row) = line {
            verifier.record(&row);
        }
    }
    Ok(verifier.finish())
}
