//! Who may do what: roles, admin keys, bearer tokens, client certificates.
