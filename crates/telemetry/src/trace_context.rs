//! W3C Trace Context: where a request stands in the trace of its caller.

use std::fmt::Write as _;
use std::str::FromStr as _;

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The header with trace and span.
pub const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems add for themselves.
pub const TRACESTATE: &str = "tracestate";
/// The longest `tracestate` that is passed on, in bytes (Trace Context, section 3.3.1.5).
pub const MAX_TRACESTATE: usize = 512;

/// The greatest number of members of a `tracestate` (section 3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// The bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// The flags that are known: sampled, and random trace id (level 2, section 3.2.2.5). Others are not passed on.
const KNOWN_FLAGS: u8 = 0b11;

/// A place in a trace: `traceparent`, and `tracestate` if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// What the headers say. `None` where there is no `traceparent`, more than one, or one that is not valid:
    /// then a new trace begins. A `tracestate` that is not valid is left out.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (parent, None) = (parents.next()?, parents.next()) else { return None };
        let mut context = TraceContext::parse(parent.to_str().ok()?)?;
        context.state = state(headers);
        Some(context)
    }

    /// Reads a `traceparent` (section 3.2).
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let version = hex(bytes.get(..2)?)?;
        // A later version may add fields after another dash (section 3.2.4).
        let fits = match (version, bytes.get(LENGTH)) {
            (0xff, _) => false,
            (0, after) => after.is_none(),
            (_, after) => after.is_none_or(|&byte| byte == b'-'),
        };
        let dash = |at: usize| bytes.get(at) == Some(&b'-');
        if !fits || !dash(2) || !dash(35) || !dash(52) {
            return None;
        }
        let trace = hex(bytes.get(3..35)?)?;
        let span = u64::try_from(hex(bytes.get(36..52)?)?).ok()?;
        let flags = u8::try_from(hex(bytes.get(53..55)?)?).ok()?;
        (trace != 0 && span != 0).then_some(TraceContext {
            trace,
            span,
            flags: flags & KNOWN_FLAGS,
            state: None,
        })
    }

    /// Puts both headers into `headers`, in the place of any others.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut text = String::with_capacity(LENGTH);
        // Writing to a text does not fail.
        let _ = write!(text, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags);
        headers.remove(TRACESTATE);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
        if let Some(Ok(value)) = self.state.as_deref().map(HeaderValue::from_str) {
            headers.insert(TRACESTATE, value);
        }
    }

    /// The same for OpenTelemetry.
    pub(crate) fn to_span_context(&self) -> SpanContext {
        let state = self.state.as_deref().and_then(|text| TraceState::from_str(text).ok());
        SpanContext::new(
            TraceId::from(self.trace),
            SpanId::from(self.span),
            TraceFlags::new(self.flags),
            true,
            state.unwrap_or_default(),
        )
    }

    /// A span's place; `None` where nothing records.
    pub(crate) fn of_span(context: &SpanContext) -> Option<Self> {
        let state = context.trace_state().header();
        context.is_valid().then(|| TraceContext {
            trace: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            flags: context.trace_flags().to_u8() & KNOWN_FLAGS,
            state: (!state.is_empty()).then_some(state),
        })
    }

    /// The trace, 32 digits of lower-case hex.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

/// Lower-case hex, at most 32 digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// All lines of `tracestate` as one, if they are valid together.
fn state(headers: &HeaderMap) -> Option<String> {
    let mut joined = String::new();
    for line in headers.get_all(TRACESTATE) {
        let line = line.to_str().ok()?;
        if joined.len() + line.len() >= MAX_TRACESTATE {
            return None;
        }
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(line);
    }
    let members: Vec<&str> = joined.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
    if members.is_empty() || members.len() > MAX_MEMBERS {
        return None;
    }
    let joined = members.join(",");
    TraceState::from_str(&joined).is_ok().then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(lines: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        TraceContext::from_headers(&headers)
    }

    fn written(context: &TraceContext) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        (text(TRACEPARENT).unwrap(), text(TRACESTATE))
    }

    #[test]
    fn what_is_read_is_written() {
        let context = read(&[(TRACEPARENT, GOOD), (TRACESTATE, "a=1,b=2")]).unwrap();
        assert_eq!(written(&context), (GOOD.to_owned(), Some("a=1,b=2".to_owned())));
        assert_eq!(TraceContext::of_span(&context.to_span_context()), Some(context.clone()));
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn each_fault_of_a_traceparent_alone_begins_a_new_trace() {
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(&[(TRACEPARENT, bad)]), None, "{bad}");
        }
        assert_eq!(read(&[(TRACEPARENT, GOOD), (TRACEPARENT, GOOD)]), None);
        assert_eq!(read(&[(TRACESTATE, "a=1")]), None);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known_and_unknown_flags_end_here() {
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more";
        let context = read(&[(TRACEPARENT, later)]).unwrap();
        assert_eq!(written(&context).0, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");
    }

    #[test]
    fn a_tracestate_that_is_not_valid_is_left_out_alone() {
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let long = format!("k={}", "v".repeat(MAX_TRACESTATE));
        for bad in ["", " , ", "novalue", "A B=1", many.as_str(), long.as_str()] {
            let context = read(&[(TRACEPARENT, GOOD), (TRACESTATE, bad)]).unwrap();
            assert_eq!(written(&context), (GOOD.to_owned(), None), "{bad}");
        }
        let lines = read(&[(TRACEPARENT, GOOD), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]).unwrap();
        assert_eq!(written(&lines).1.as_deref(), Some("a=1,b=2"));
    }
}
