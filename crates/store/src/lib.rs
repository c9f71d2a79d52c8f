//! All persistence: resources, policies, reference values, keys, sessions, cached collateral.
