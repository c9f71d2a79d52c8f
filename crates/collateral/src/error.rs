//! Why a piece of collateral could not be had: every source that was tried, and what each said.

use std::fmt;
use std::time::Duration;

use assay_types::{Coded, Fault, UnixTime, Validity, Vendor};

/// A place where collateral is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The offline folder.
    Folder,
    /// The cache.
    Cache,
    /// The vendor's service; the URL that was asked, where it came to that.
    Service(Vendor, Option<String>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder => f.write_str("offline folder"),
            Source::Cache => f.write_str("cache"),
            Source::Service(vendor, url) => {
                f.write_str(match vendor {
                    Vendor::Amd => "AMD's service",
                    Vendor::Intel => "Intel's service",
                    _ => "the vendor's service",
                })?;
                url.as_ref().map_or(Ok(()), |url| write!(f, " {url}"))
            }
        }
    }
}

/// What a source said, where it was not the collateral.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// There is no such source.
    #[error("not configured")]
    NotConfigured,
    /// It has nothing under that name.
    #[error("nothing there")]
    Absent,
    /// It refuses this request (HTTP 4xx): it does not know the thing.
    #[error("answered {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It refused the same request a moment ago and was not asked again.
    #[error("answered {status} a moment ago; not asked again for {} s", wait.as_secs())]
    RefusedLately {
        /// The HTTP status of then.
        status: u16,
        /// How long the refusal is still remembered.
        wait: Duration,
    },
    /// It was asked too often and named, or was given, a time to rest.
    #[error("answered {status}, too many requests; not asked again for {} s", wait.as_secs())]
    RateLimited {
        /// The HTTP status, 429 mostly.
        status: u16,
        /// How long it is left alone.
        wait: Duration,
    },
    /// It is being left alone after earlier answers, and was not asked.
    #[error("not asked: it is left alone for another {} s after earlier failures", wait.as_secs())]
    Paused {
        /// For how long still.
        wait: Duration,
    },
    /// It failed (HTTP 5xx or 408).
    #[error("answered {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
    },
    /// It answered with a status that is neither success nor an error, a redirect mostly.
    #[error("answered {status}, pointing to {location:?}; redirects are not followed")]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// The header `Location`, cut after 200 characters; empty without one.
        location: String,
    },
    /// It could not be reached, or the connection broke.
    #[error("{cause}")]
    Unreachable {
        /// The chain of causes.
        cause: String,
    },
    /// Its TLS certificate is not trusted.
    #[error("its TLS certificate is not accepted: {cause}")]
    Untrusted {
        /// Why.
        cause: String,
    },
    /// It did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// So many fetches are under way that no other was begun.
    #[error("{running} fetches are under way, and no more are begun")]
    Busy {
        /// How many.
        running: usize,
    },
    /// What it holds is larger than the request allows.
    #[error("larger than the {limit} bytes that it can be at most")]
    TooLarge {
        /// The limit of the request.
        limit: usize,
    },
    /// What it holds is empty.
    #[error("empty")]
    Empty,
    /// What it holds is an HTML page, as portals and error pages are.
    #[error("an HTML page instead of collateral")]
    Html,
    /// It cannot be read.
    #[error("{cause}")]
    Unreadable {
        /// Why.
        cause: String,
    },
    /// The issuer chain in a header of the answer cannot be read.
    #[error("the issuer chain in its header {header} cannot be read: {why}")]
    BadIssuerChain {
        /// The header.
        header: String,
        /// Why.
        why: &'static str,
    },
    /// What it holds is not what was asked for, or not the vendor's: the inspector refused it, and it
    /// is not used.
    #[error("not genuine: {cause}")]
    NotGenuine {
        /// What the inspector said.
        cause: String,
    },
    /// What it holds was valid once.
    #[error("its copy expired at {since}")]
    Expired {
        /// The last moment at which it was valid.
        since: UnixTime,
    },
    /// It answered with something that has expired already. It should have something newer soon.
    #[error("its answer had expired already, at {since}")]
    Stale {
        /// The last moment at which it was valid.
        since: UnixTime,
    },
    /// It answered with something older than the valid copy in the cache, which stays.
    #[error("its answer is older (valid {found}) than the copy in the cache (valid {cached})")]
    Older {
        /// When the answer is valid.
        found: Validity,
        /// When the copy in the cache is valid.
        cached: Validity,
    },
    /// The request names something that is never looked up, such as a path with `..`.
    #[error("refused to look: {why}")]
    NotLookedUp {
        /// Why.
        why: &'static str,
    },
}

impl AttemptOutcome {
    /// Whether the same question may get another answer later without anyone doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            AttemptOutcome::RateLimited { .. }
                | AttemptOutcome::Paused { .. }
                | AttemptOutcome::Failed { .. }
                | AttemptOutcome::Unreachable { .. }
                | AttemptOutcome::TimedOut
                | AttemptOutcome::Busy { .. }
                | AttemptOutcome::Stale { .. }
                | AttemptOutcome::Older { .. }
        )
    }

    /// The time after which asking again makes sense, where it is known.
    fn wait(&self) -> Option<Duration> {
        match self {
            AttemptOutcome::RateLimited { wait, .. } | AttemptOutcome::Paused { wait } => Some(*wait),
            _ => None,
        }
    }
}

/// One source that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was wanted, in words.
    pub wanted: String,
    /// The source.
    pub source: Source,
    /// What it said.
    pub outcome: AttemptOutcome,
}

/// Collateral that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollateralError {
    /// A source may have it a little later.
    #[error("{}", Listed(attempts))]
    Transient {
        /// Every source tried, in order.
        attempts: Vec<Attempt>,
        /// When to try again, where a source said so.
        retry_after: Option<Duration>,
    },
    /// No source has it, and waiting does not help.
    #[error("{}", Listed(attempts))]
    Permanent {
        /// Every source tried, in order.
        attempts: Vec<Attempt>,
    },
}

impl CollateralError {
    /// The error that follows from these attempts: transient as soon as one of them is.
    pub(crate) fn of(attempts: Vec<Attempt>) -> Self {
        if attempts.iter().any(|a| a.outcome.is_transient()) {
            let retry_after = attempts.iter().filter_map(|a| a.outcome.wait()).max();
            CollateralError::Transient { attempts, retry_after }
        } else {
            CollateralError::Permanent { attempts }
        }
    }

    /// Several pieces that could not be had, as one error. It is permanent as soon as one of them
    /// is, for then waiting does not help.
    pub(crate) fn all(errors: impl IntoIterator<Item = CollateralError>) -> Option<Self> {
        let mut joined = Vec::new();
        let (mut any, mut permanent, mut wait) = (false, false, None);
        for error in errors {
            any = true;
            match error {
                CollateralError::Transient { attempts, retry_after } => {
                    joined.extend(attempts);
                    wait = wait.max(retry_after);
                }
                CollateralError::Permanent { attempts } => {
                    joined.extend(attempts);
                    permanent = true;
                }
            }
        }
        any.then_some(if permanent {
            CollateralError::Permanent { attempts: joined }
        } else {
            CollateralError::Transient { attempts: joined, retry_after: wait }
        })
    }

    /// Every source tried, in order.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            CollateralError::Transient { attempts, .. } | CollateralError::Permanent { attempts } => attempts,
        }
    }

    /// When to try again, where a source said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            CollateralError::Transient { retry_after, .. } => *retry_after,
            CollateralError::Permanent { .. } => None,
        }
    }
}

impl Coded for CollateralError {
    fn code(&self) -> &'static str {
        match self {
            CollateralError::Transient { .. } => "COL-001",
            CollateralError::Permanent { .. } => "COL-002",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            CollateralError::Transient { .. } => Fault::CollateralTransient,
            CollateralError::Permanent { .. } => Fault::CollateralPermanent,
        }
    }
}

/// A piece of collateral that [`gather`](crate::CollateralService::gather) could not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// What was wanted, in words.
    pub wanted: String,
    /// Whether verification must fail without it.
    pub required: bool,
    /// Why it could not be had.
    pub error: CollateralError,
}

/// "no VCEK of chip 1a2b…: offline folder: nothing there; AMD's service https://…: answered 404".
struct Listed<'a>(&'a [Attempt]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wanted = None;
        for attempt in self.0 {
            if wanted == Some(&attempt.wanted) {
                f.write_str("; ")?;
            } else {
                let begin = if wanted.is_none() { "no" } else { ". No" };
                write!(f, "{begin} {}: ", attempt.wanted)?;
                wanted = Some(&attempt.wanted);
            }
            write!(f, "{}: {}", attempt.source, attempt.outcome)?;
        }
        Ok(())
    }
}
