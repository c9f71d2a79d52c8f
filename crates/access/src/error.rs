//! What can go wrong. The codes that begin with `KBS` are older than this crate; clients know them.

use std::io;
use std::path::PathBuf;

use assay_store::StoreError;
use assay_token::TokenError;
use assay_types::{Coded, Fault};

use crate::{Caller, MAX_ADMIN_TOKEN_SECONDS};

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// `KBS-026`: neither an admin token nor a client certificate.
    #[error("this needs an admin token as Authorization: Bearer; `assay admin token` makes one")]
    NoCredentials,
    /// `KBS-027`: the admin token does not hold.
    #[error("the admin token does not hold: {0}")]
    Token(TokenError),
    /// `KBS-028`: the admin token lives too long, or does not say how long.
    #[error("the admin token must say when it was issued (iat) and end at most {limit} seconds later")]
    Lifetime {
        /// The longest life, in seconds.
        limit: i64,
    },
    /// `KBS-029`: the admin token has no role, or one that does not exist.
    #[error("the admin token has no known role; roles are {known}")]
    UnknownRole {
        /// The roles, separated by commas.
        known: String,
    },
    /// `KBS-030`: no role of the caller allows this.
    #[error("the role {roles} may not {action}")]
    Forbidden {
        /// The caller's roles, separated by commas.
        roles: String,
        /// What it may not, such as `set policies`.
        action: String,
    },
    /// `ACC-001`: the client certificate cannot be read.
    #[error("the client certificate cannot be read: {why}")]
    Certificate {
        /// What is wrong.
        why: String,
    },
    /// `ACC-002`: no rule gives the client certificate a role.
    #[error("no rule gives a role to the client certificate of {names}")]
    NoRule {
        /// Its names (DNS, URI), separated by commas; cut.
        names: String,
    },
    /// `ACC-003`: the keys of the service cannot be used.
    #[error("the admin keys cannot be used: {0}")]
    Keys(TokenError),
}

impl AccessError {
    /// `caller` may not do this; `action` says what, such as `set policies`.
    pub fn forbidden(caller: &Caller, action: &str) -> Self {
        let roles: Vec<&str> = caller.roles().iter().map(|role| role.as_str()).collect();
        AccessError::Forbidden { roles: roles.join(", "), action: action.to_owned() }
    }
}

impl Coded for AccessError {
    fn code(&self) -> &'static str {
        match self {
            AccessError::NoCredentials => "KBS-026",
            AccessError::Token(_) => "KBS-027",
            AccessError::Lifetime { .. } => "KBS-028",
            AccessError::UnknownRole { .. } => "KBS-029",
            AccessError::Forbidden { .. } => "KBS-030",
            AccessError::Certificate { .. } => "ACC-001",
            AccessError::NoRule { .. } => "ACC-002",
            AccessError::Keys(_) => "ACC-003",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            AccessError::NoCredentials | AccessError::Lifetime { .. } | AccessError::Certificate { .. } => {
                Fault::Unauthenticated
            }
            AccessError::Token(error) => error.fault(),
            AccessError::UnknownRole { .. } | AccessError::Forbidden { .. } | AccessError::NoRule { .. } => {
                Fault::Forbidden
            }
            AccessError::Keys(_) => Fault::Internal,
        }
    }
}

/// Why admin keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminKeyError {
    /// `ACC-004`: the file cannot be opened or read.
    #[error("cannot use the admin key {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `ACC-005`: others than its owner have access to the file.
    #[error("the admin key {} has mode {mode:03o}; others may not have access, set it to 600", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// The permission bits.
        mode: u32,
    },
    /// `ACC-006`: the file belongs to another user.
    #[error("the admin key {} belongs to user {owner}, not to {user} or root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// `ACC-007`: the file does not hold an admin key.
    #[error("the admin key {} cannot be read: {why}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Never a part of the key.
        why: &'static str,
    },
    /// `ACC-008`: the life asked for is not between one second and a day.
    #[error("an admin token lives 1 to {MAX_ADMIN_TOKEN_SECONDS} seconds, not {found}")]
    Lifetime {
        /// The life asked for, in seconds.
        found: i64,
    },
    /// `ACC-009`: the store has no admin key that still signs.
    #[error("the store has no admin key in force")]
    NoKey,
    /// `ACC-010`: an admin key of the store cannot be read.
    #[error("the admin key {kid} in the store cannot be read: {why}")]
    Stored {
        /// The key.
        kid: String,
        /// What is wrong with it.
        why: String,
    },
    /// The cryptographic library failed, or the audience cannot be written.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for AdminKeyError {
    fn code(&self) -> &'static str {
        match self {
            AdminKeyError::File { .. } => "ACC-004",
            AdminKeyError::Mode { .. } => "ACC-005",
            AdminKeyError::Owner { .. } => "ACC-006",
            AdminKeyError::Form { .. } => "ACC-007",
            AdminKeyError::Lifetime { .. } => "ACC-008",
            AdminKeyError::NoKey => "ACC-009",
            AdminKeyError::Stored { .. } => "ACC-010",
            AdminKeyError::Token(error) => error.code(),
            AdminKeyError::Store(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            AdminKeyError::File { .. }
            | AdminKeyError::Mode { .. }
            | AdminKeyError::Owner { .. }
            | AdminKeyError::Form { .. }
            | AdminKeyError::NoKey
            | AdminKeyError::Stored { .. }
            | AdminKeyError::Token(_) => Fault::Internal,
            AdminKeyError::Lifetime { .. } => Fault::BadRequest,
            AdminKeyError::Store(error) => error.fault(),
        }
    }
}
