//! The wire form: a raw quote, or JSON with quote and event log.
