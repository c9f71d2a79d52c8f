//! Logs, traces and request ids across the parts.
