//! A double of the key broker: it has what it was given, and counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use assay_attestation_agent::error::AgentError;
use assay_attestation_agent::secrets::Resources;
use assay_client::{Attempt, ClientError};
use assay_types::{ErrorInformation, ResourceUri, SecretBytes};
use async_trait::async_trait;

pub(crate) type Answer = Result<Vec<u8>, AgentError>;

/// The answers by URI, in order; the last one is repeated.
#[derive(Default)]
pub(crate) struct Broker {
    answers: Mutex<HashMap<String, Vec<Answer>>>,
    asked: Mutex<Vec<String>>,
}

impl Broker {
    pub(crate) fn with(resources: &[(&str, &[u8])]) -> Arc<Self> {
        let broker = Arc::new(Broker::default());
        for (uri, bytes) in resources {
            broker.answers(uri, vec![Ok(bytes.to_vec())]);
        }
        broker
    }

    pub(crate) fn answers(&self, uri: &str, answers: Vec<Answer>) {
        self.answers.lock().unwrap().insert(uri.to_owned(), answers);
    }

    /// Every URI that was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn times(&self, uri: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == uri).count()
    }
}

#[async_trait]
impl Resources for Broker {
    async fn resource(&self, uri: &ResourceUri) -> Result<SecretBytes, AgentError> {
        self.asked.lock().unwrap().push(uri.to_string());
        let mut answers = self.answers.lock().unwrap();
        let Some(list) = answers.get_mut(&uri.to_string()) else { return Err(not_found()) };
        let answer = if list.len() > 1 { list.remove(0) } else { list[0].clone() };
        answer.map(SecretBytes::new)
    }
}

pub(crate) fn problem() -> Box<ErrorInformation> {
    Box::new(ErrorInformation { detail: "the double says no".into(), ..ErrorInformation::default() })
}

pub(crate) fn not_found() -> AgentError {
    ClientError::NotFound { what: "GET".into(), problem: problem() }.into()
}

pub(crate) fn denied() -> AgentError {
    ClientError::Denied { what: "GET".into(), status: 403, problem: problem() }.into()
}

pub(crate) fn unavailable(retry_after: Option<std::time::Duration>) -> AgentError {
    let attempts = vec![Attempt { what: "GET".into(), outcome: "connection refused".into() }];
    ClientError::Unavailable { attempts, retry_after }.into()
}
