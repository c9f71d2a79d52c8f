//! Values that are asked for one by one, as Trustee's protocol has it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_remote::{RemoteEndpoint, RemoteError};
use assay_store::ReferenceValueRecord;
use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::read::read_value;
use crate::proto::reference::ReferenceValueQueryRequest;
use crate::snapshot::Snapshot;
use crate::{Consultation, ReferenceValueError};

/// The most rounds of an evaluation, and the most names that it may ask for.
const MAX_ROUNDS: usize = 32;
const MAX_IDS: usize = 1024;

/// How many names are asked for at a time.
const AT_A_TIME: usize = 16;

/// How long a name that was asked for is asked for again before an evaluation begins, and how many are.
const REMEMBERED: Duration = Duration::from_secs(600);
const MAX_REMEMBERED: usize = 256;

/// Asks for one value. There is none where the provider says so; where it does not answer, that is an error.
pub(super) async fn ask(endpoint: &RemoteEndpoint, id: &str) -> Result<Option<Value>, ReferenceValueError> {
    let call = |service| {
        let request = ReferenceValueQueryRequest::of(id);
        async move { super::trustee(service).query_reference_value(request).await }
    };
    let answer = endpoint.call(true, call).await?.reference_value_results;
    let value = answer.as_deref().map(read_value).transpose();
    value.map_err(|why| endpoint.unusable(format!("{}: {why}", shortened(id))).into())
}

/// A name, and what came of the question for it.
type Fetched = (String, Result<Option<Value>, ReferenceValueError>);

/// Whether the provider answered, but not what can be used.
fn about_a_value(error: &ReferenceValueError) -> bool {
    matches!(error, ReferenceValueError::Remote(RemoteError::Answer { .. } | RemoteError::Refused { .. }))
}

fn shortened(id: &str) -> String {
    id.chars().take(64).collect()
}

/// The answers of the last moments.
#[derive(Clone)]
pub(super) struct Answers {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: RemoteEndpoint,
    cache: Duration,
    answers: Mutex<HashMap<String, Answer>>,
}

struct Answer {
    value: Option<Value>,
    /// When the question for it began, and when an evaluation last wanted it.
    fetched: Instant,
    wanted: Instant,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("answers", &self.lock().len()).finish_non_exhaustive()
    }
}

impl Answers {
    pub(super) fn new(endpoint: RemoteEndpoint, cache: Duration) -> Self {
        Answers { shared: Arc::new(Shared { endpoint, cache, answers: Mutex::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a change at the provider: everything is asked for again.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// Begins with what was asked for lately, so that most evaluations need one round only.
    pub(super) async fn consult(&self) -> Result<Questions, ReferenceValueError> {
        let mut questions = Questions { answers: self.clone(), known: Known::default(), rounds: 0 };
        let now = Instant::now();
        let (mut fresh, mut stale) = (BTreeMap::new(), BTreeSet::new());
        {
            let mut answers = self.lock();
            answers.retain(|_, answer| now.duration_since(answer.wanted) < REMEMBERED);
            for (id, answer) in answers.iter() {
                if now.duration_since(answer.fetched) < self.shared.cache {
                    fresh.insert(id.clone(), answer.value.clone());
                } else {
                    stale.insert(id.clone());
                }
            }
        }
        questions.known.values = fresh;
        for (id, answer) in self.fetch(stale).await? {
            match answer {
                Ok(value) => drop(questions.known.values.insert(id, value)),
                // An evaluation that does not need it must not suffer from it.
                Err(_) => drop(self.lock().remove(&id)),
            }
        }
        Ok(questions)
    }

    /// Asks for these names, and keeps the answers for others. The first error that is not about a single
    /// value ends it.
    async fn fetch(&self, ids: BTreeSet<String>) -> Result<Vec<Fetched>, ReferenceValueError> {
        let began = Instant::now();
        let endpoint = &self.shared.endpoint;
        let fetched: Vec<Fetched> = stream::iter(ids)
            .map(|id| async move {
                match ask(endpoint, &id).await {
                    Err(error) if !about_a_value(&error) => Err(error),
                    answer => Ok((id, answer)),
                }
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await?;
        let mut answers = self.lock();
        for (id, answer) in &fetched {
            let Ok(value) = answer else { continue };
            let known = answers.get(id);
            let newer = known.is_some_and(|known| known.fetched > began);
            if newer || (known.is_none() && answers.len() >= MAX_REMEMBERED) {
                continue;
            }
            let wanted = known.map_or(began, |known| known.wanted);
            answers.insert(id.clone(), Answer { value: value.clone(), fetched: began, wanted });
        }
        Ok(fetched)
    }

    /// These were wanted by an evaluation.
    fn wanted<'i>(&self, ids: impl Iterator<Item = &'i String>) {
        let now = Instant::now();
        let mut answers = self.lock();
        for id in ids {
            if let Some(answer) = answers.get_mut(id) {
                answer.wanted = now;
            }
        }
    }
}

/// What one evaluation knows, and what it asked for.
#[derive(Default)]
struct Known {
    values: BTreeMap<String, Option<Value>>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    known: BTreeSet<String>,
    unknown: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Known {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReferenceValueSnapshot for Known {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        let mut asked = self.asked();
        let Some(value) = self.values.get(id) else {
            if asked.unknown.len() <= MAX_IDS {
                asked.unknown.insert(id.to_owned());
            }
            return Lookup::Missing;
        };
        if !asked.known.contains(id) {
            asked.known.insert(id.to_owned());
        }
        // The provider does not say when a value ends; the token ends soon by itself.
        value.clone().map_or(Lookup::Missing, |value| Lookup::Found { value, expires: UnixTime::MAX })
    }

    fn group(&self, group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        let mut asked = self.asked();
        if asked.groups.len() < 4 {
            asked.groups.insert(group.chars().take(128).collect());
        }
        Vec::new()
    }

    fn digest(&self) -> Digest {
        let found = self.values.iter().filter_map(|(id, value)| Some((id, value.as_ref()?)));
        digest_of(found)
    }
}

/// The digest of the set of these values, which end never.
fn digest_of<'v>(values: impl Iterator<Item = (&'v String, &'v Value)>) -> Digest {
    let record = |(id, value): (&String, &Value)| ReferenceValueRecord {
        id: id.clone(),
        value: value.clone(),
        version: 0,
        registered: UnixTime(0),
        expires: UnixTime::MAX,
        source: String::new(),
    };
    Snapshot::new(values.map(record).collect()).digest()
}

/// The questions of one evaluation.
pub(super) struct Questions {
    answers: Answers,
    known: Known,
    rounds: usize,
}

#[async_trait]
impl Consultation for Questions {
    fn values(&self) -> &dyn ReferenceValueSnapshot {
        &self.known
    }

    fn is_complete(&self) -> bool {
        false
    }

    async fn learn(&mut self) -> Result<bool, ReferenceValueError> {
        let Asked { known, unknown, groups } = std::mem::take(&mut *self.known.asked());
        if !groups.is_empty() {
            let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
            return Err(ReferenceValueError::GroupsNotServed { groups });
        }
        self.answers.wanted(known.iter());
        let Some(last) = unknown.last() else { return Ok(false) };
        self.rounds += 1;
        let too_many = |what| ReferenceValueError::TooManyQuestions { what, id: shortened(last) };
        if self.rounds > MAX_ROUNDS {
            return Err(too_many(format!("{MAX_ROUNDS} times")));
        }
        if self.known.values.len() + unknown.len() > MAX_IDS {
            return Err(too_many(format!("{MAX_IDS} values")));
        }
        for (id, answer) in self.answers.fetch(unknown).await? {
            self.known.values.insert(id, answer?);
        }
        Ok(true)
    }

    fn digest(&self, used: &mut (dyn Iterator<Item = &AskedReferenceValue> + Send)) -> Digest {
        let found = used.filter_map(|asked| match &asked.answer {
            Lookup::Found { value, .. } => Some((&asked.id, value)),
            Lookup::Missing | Lookup::Expired { .. } => None,
        });
        digest_of(found)
    }
}
