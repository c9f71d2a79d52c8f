//! Files of secrets: fetched at start, and again every so often.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_client::{ClientError, Waiting};
use assay_types::{Clock, Coded as _, ResourceUri, SecretBytes, UnixTime};
use futures_util::future::join_all;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::watch;

use super::Resources;
use super::file_error::SecretFileError;
use super::private_file::{PrivateFile, Write};
use super::sealed::Unsealer;
use crate::error::AgentError;

/// The longest wait after the first failure; it doubles after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Where the doubling ends.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait of all, whatever the server asks for.
const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);

/// The permission bits of a file, written as octal text: `"0640"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Default for FileMode {
    fn default() -> Self {
        FileMode(0o600)
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04o}", self.0))
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number would be ambiguous: 600 is not 0600.
        let text = String::deserialize(deserializer)?;
        let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if octal && mode <= 0o777 => Ok(FileMode(mode)),
            _ => Err(serde::de::Error::custom(
                "a mode is octal text from \"0000\" to \"0777\", such as \"0600\"",
            )),
        }
    }
}

/// A secret that is to be in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Where: absolute. The directory must be in memory (tmpfs, ramfs), and belong to root or the agent's
    /// user with nobody else allowed to write there; where it is missing it is made with mode 0700.
    pub path: PathBuf,
    /// What the key broker is asked for.
    pub resource: ResourceUri,
    /// The file's mode, `"0600"`.
    #[serde(default)]
    pub mode: FileMode,
    /// The file's owner, a number; the agent's user when absent.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The file's group, a number; the agent's when absent.
    #[serde(default)]
    pub gid: Option<u32>,
    /// Whether the resource is a sealed secret that is to be opened.
    #[serde(default)]
    pub unseal: bool,
    /// After how many seconds it is fetched again; once only when absent.
    #[serde(default, rename = "refresh_seconds")]
    pub refresh: Option<u64>,
    /// Takes a directory that is on a disk: the secret outlives the guest.
    #[serde(default)]
    pub allow_disk_danger: bool,
}

/// How a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is not there yet; the agent goes on trying.
    Waiting {
        /// Why it is not there, when something was tried.
        why: Option<String>,
    },
    /// It is there. A refresh that fails in passing leaves it so.
    Written {
        /// When it was last found to be what the key broker has.
        at: UnixTime,
    },
    /// It is not what the key broker has, and is not tried again before the next refresh, if any. What an
    /// earlier success wrote stays.
    Failed {
        /// Why, in words.
        why: String,
    },
}

/// A file and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The path.
    pub path: PathBuf,
    /// How it stands.
    pub state: FileState,
}

/// What is done for one file.
struct Job {
    file: PrivateFile,
    resource: ResourceUri,
    unseal: bool,
    refresh: Option<Duration>,
}

/// Why a file could not be brought up to date.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{code} {0}", code = .0.code())]
    Agent(#[from] AgentError),
    #[error("{code} {0}", code = .0.code())]
    File(#[from] SecretFileError),
}

impl Trouble {
    /// Whether trying again soon may help; and what the server asks to wait. Nobody may be there to start the
    /// agent again, so what may end without a change of the configuration counts as passing: a clock that is
    /// not set yet makes a certificate look wrong, a proxy answers in the server's place, the owner has yet
    /// to store the secret. What the server refused, it refuses again.
    fn passing(&self) -> Option<Duration> {
        match self {
            Trouble::Agent(AgentError::Client(error)) => match error {
                ClientError::Unavailable { retry_after, .. } => Some(retry_after.unwrap_or_default()),
                ClientError::Evidence(_)
                | ClientError::Protocol { .. }
                | ClientError::NotFound { .. }
                | ClientError::Unauthenticated { .. }
                | ClientError::Jwe { .. } => Some(Duration::ZERO),
                // Denied; or the client's settings or the resource's name are wrong.
                _ => None,
            },
            Trouble::Agent(AgentError::DeviceBusy { .. } | AgentError::Attester(_))
            | Trouble::File(SecretFileError::NoSpace { .. }) => Some(Duration::ZERO),
            _ => None,
        }
    }
}

/// How long to wait where the server asks for `asked`, which is a minimum: `jitter` on top spreads those
/// that it was asked of. At the greatest wait the jitter is taken off instead.
fn wait_for(asked: Duration, jitter: Duration) -> Duration {
    if asked >= LONGEST_ASKED {
        return LONGEST_ASKED.saturating_sub(jitter);
    }
    asked.saturating_add(jitter).min(LONGEST_ASKED)
}

/// Keeps files of secrets.
pub struct FilesTask {
    resources: Arc<dyn Resources>,
    unsealer: Arc<Unsealer>,
    clock: Arc<dyn Clock>,
    waiting: Arc<dyn Waiting>,
    jobs: Vec<Job>,
    states: watch::Sender<Vec<FileStatus>>,
}

impl FilesTask {
    /// Checks the settings; nothing is fetched yet.
    ///
    /// # Errors
    /// [`SecretFileError::Path`], [`SecretFileError::Twice`].
    pub fn new(
        files: &[FileSettings],
        resources: Arc<dyn Resources>,
        unsealer: Arc<Unsealer>,
        clock: Arc<dyn Clock>,
        waiting: Arc<dyn Waiting>,
    ) -> Result<Self, SecretFileError> {
        let mut paths = HashSet::new();
        let mut jobs = Vec::new();
        for file in files {
            if !paths.insert(&file.path) {
                return Err(SecretFileError::Twice { path: file.path.display().to_string() });
            }
            jobs.push(Job {
                file: PrivateFile::new(&file.path, file.mode.0, file.uid, file.gid, file.allow_disk_danger)?,
                resource: file.resource.clone(),
                unseal: file.unseal,
                refresh: file.refresh.map(|seconds| Duration::from_secs(seconds.max(1))),
            });
        }
        let status = |job: &Job| FileStatus {
            path: job.file.path().to_owned(),
            state: FileState::Waiting { why: None },
        };
        let states = watch::Sender::new(jobs.iter().map(status).collect());
        Ok(FilesTask { resources, unsealer, clock, waiting, jobs, states })
    }

    /// How the files stand, in the order of the settings; it tells of every change.
    pub fn states(&self) -> watch::Receiver<Vec<FileStatus>> {
        self.states.subscribe()
    }

    /// Writes the files and keeps them fresh. Each is on its own: one that fails holds up no other. Ends when
    /// nothing is left to do, which with a refresh is never; it may be dropped at any time.
    pub async fn run(&self) {
        self.remove_leftovers().await;
        join_all(self.jobs.iter().enumerate().map(|(index, job)| self.keep(index, job))).await;
    }

    /// What an agent that was killed left behind; for all files before the first is written.
    async fn remove_leftovers(&self) {
        for job in &self.jobs {
            let (file, path) = (job.file.clone(), job.file.path().display());
            match tokio::task::spawn_blocking(move || file.remove_leftovers()).await {
                Ok(Ok(0)) => {}
                Ok(Ok(number)) => {
                    tracing::info!(%path, number, "unfinished files of an earlier run were removed")
                }
                // Writing meets the same and says so in the file's state.
                Ok(Err(error)) => tracing::warn!(%path, %error, "unfinished files were not looked for"),
                Err(_) => tracing::warn!(%path, "the thread that removes unfinished files has ended"),
            }
        }
    }

    async fn keep(&self, index: usize, job: &Job) {
        loop {
            self.bring_up_to_date(index, job).await;
            match job.refresh {
                Some(time) => self.waiting.wait(time).await,
                None => return,
            }
        }
    }

    /// Tries until the file is written or trying does not help.
    async fn bring_up_to_date(&self, index: usize, job: &Job) {
        let path = job.file.path().display();
        let mut longest = FIRST_WAIT;
        loop {
            let trouble = match self.once(job).await {
                Ok(write) => {
                    if write == Write::Replaced {
                        tracing::info!(%path, resource = %job.resource, "a secret was written into its file");
                    }
                    return self.set(index, FileState::Written { at: self.clock.now() });
                }
                Err(trouble) => trouble,
            };
            tracing::warn!(%path, resource = %job.resource, error = %trouble, "a file of secrets is not up to date");
            let Some(asked) = trouble.passing() else {
                return self.set(index, FileState::Failed { why: trouble.to_string() });
            };
            self.wait_on(index, &trouble);
            self.waiting.wait(wait_for(asked, self.waiting.jitter(longest))).await;
            longest = longest.saturating_mul(2).min(LONGEST_WAIT);
        }
    }

    async fn once(&self, job: &Job) -> Result<Write, Trouble> {
        let mut secret = self.resources.resource(&job.resource).await?;
        if job.unseal {
            // What a file names is the configuration's, which no listener's rules hold for.
            secret = self.unsealer.unseal(secret.expose(), &|_| Ok(())).await?;
        }
        Ok(write(job.file.clone(), secret).await??)
    }

    fn set(&self, index: usize, state: FileState) {
        self.states.send_modify(|states| {
            if let Some(status) = states.get_mut(index) {
                status.state = state;
            }
        });
    }

    /// A file that is there stays so in the eyes of readiness: what passes is no reason to stop the workload.
    fn wait_on(&self, index: usize, trouble: &Trouble) {
        self.states.send_modify(|states| match states.get_mut(index) {
            Some(FileStatus { state: FileState::Written { .. }, .. }) | None => {}
            Some(status) => status.state = FileState::Waiting { why: Some(trouble.to_string()) },
        });
    }
}

/// Writes on a thread where blocking is allowed.
async fn write(file: PrivateFile, secret: SecretBytes) -> Result<Result<Write, SecretFileError>, AgentError> {
    tokio::task::spawn_blocking(move || file.write(&secret))
        .await
        .map_err(|_| AgentError::Internal("the thread that writes a file has ended".to_owned()))
}
