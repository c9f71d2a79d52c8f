//! The audit log: hash-chained records of verdicts, releases, denials and admin actions.
