//! The event log that goes with a TD's quote: the firmware's (CCEL), and behind it the agent's entries (AAEL).

use std::path::Path;

use assay_attester::{AttesterError, files};
use assay_eventlog::{EventLog, EventLogBuilder, LogEnd, TcgAlgorithm};
use bytes::Bytes;

use crate::MAX_EVENT_LOG_LEN;

/// What ends the log that is sent.
const END: [u8; 8] = [0xff; 8];

/// The log to send: that of the firmware without its end, or a header of its own where there is none, the entries
/// of `aael`, and the end. `None` when there is neither.
///
/// A firmware log that cannot be read goes as it is, and the verifier says what is wrong with it; but nothing
/// can be added to it.
///
/// # Errors
/// [`AttesterError::Device`]; [`AttesterError::Malformed`] for entries that cannot be added, or a log that is too
/// long.
pub(super) fn to_send(ccel: &Path, aael: &[u8]) -> Result<Option<Bytes>, AttesterError> {
    let malformed = |why: String| AttesterError::Malformed { what: ccel.display().to_string(), why };
    let firmware = files::read_if_there(ccel, MAX_EVENT_LOG_LEN)?.map(Bytes::from);
    let begin = match (firmware, aael) {
        (None, []) => return Ok(None),
        (None, _) => Bytes::from(header()?),
        (Some(bytes), _) => match EventLog::parse(bytes.clone()) {
            Ok(log) => log.without_end(),
            Err(error) if aael.is_empty() => {
                tracing::warn!(log = %ccel.display(), %error, "the firmware's event log cannot be read; it is sent as it is");
                return Ok(Some(bytes));
            }
            Err(error) => {
                return Err(malformed(format!("the agent's entries cannot be added to this log: {error}")));
            }
        },
    };
    let log = Bytes::from([&*begin, aael, &END].concat());
    if log.len() > MAX_EVENT_LOG_LEN {
        let why = format!(
            "the log with the agent's entries has {} bytes; at most {MAX_EVENT_LOG_LEN} are read",
            log.len()
        );
        return Err(malformed(why));
    }
    if !aael.is_empty() {
        let read = EventLog::parse(log.clone());
        read.map_err(|error| malformed(format!("the log with the agent's entries cannot be read: {error}")))?;
    }
    Ok(Some(log))
}

/// The header of a log of SHA-384 digests, those of the registers.
fn header() -> Result<Vec<u8>, AttesterError> {
    let builder = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).map_err(|error| {
        AttesterError::Malformed { what: "the header of the event log".to_owned(), why: error.to_string() }
    })?;
    Ok(builder.build(LogEnd::Events))
}
