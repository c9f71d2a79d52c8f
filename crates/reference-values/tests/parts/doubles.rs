//! Providers that misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_reference_values::proto::reference::reference_value_provider_service_server::{
    ReferenceValueProviderService, ReferenceValueProviderServiceServer,
};
use assay_reference_values::proto::reference::{
    ReferenceValueQueryRequest, ReferenceValueQueryResponse, ReferenceValueRegisterRequest,
    ReferenceValueRegisterResponse,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

use crate::world::Served;

/// A provider as Trustee's, whose answers are what the test says.
#[derive(Clone, Default)]
pub(crate) struct Double {
    pub(crate) answers: Arc<Mutex<BTreeMap<String, String>>>,
    /// Every name that was asked for.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// How long each answer takes.
    pub(crate) delay: Arc<Mutex<Duration>>,
}

impl Double {
    pub(crate) fn with(answers: &[(&str, &str)]) -> Self {
        let double = Double::default();
        for (id, answer) in answers {
            double.set(id, answer);
        }
        double
    }

    pub(crate) fn set(&self, id: &str, answer: &str) {
        self.answers.lock().unwrap().insert(id.to_owned(), answer.to_owned());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) async fn serve(&self, at: Option<SocketAddr>) -> Served {
        let service = ReferenceValueProviderServiceServer::new(self.clone());
        Served::new(tonic::service::Routes::new(service).into_axum_router(), at).await
    }
}

#[tonic::async_trait]
impl ReferenceValueProviderService for Double {
    async fn query_reference_value(
        &self,
        request: Request<ReferenceValueQueryRequest>,
    ) -> Result<Response<ReferenceValueQueryResponse>, Status> {
        let id = request.into_inner().reference_value_id;
        self.asked.lock().unwrap().push(id.clone());
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let reference_value_results = self.answers.lock().unwrap().get(&id).cloned();
        Ok(Response::new(ReferenceValueQueryResponse { reference_value_results }))
    }

    async fn register_reference_value(
        &self,
        _request: Request<ReferenceValueRegisterRequest>,
    ) -> Result<Response<ReferenceValueRegisterResponse>, Status> {
        // As Trustee's: every error has this code.
        Err(Status::aborted("Failed to verify and extract reference values"))
    }
}

/// What is done with each connection.
#[derive(Clone, Copy)]
pub(crate) enum Socket {
    /// Nothing is ever said.
    Silent,
    /// It is reset.
    Reset,
    /// Something is said that is not HTTP/2.
    Garbage,
}

/// A socket that misbehaves, until the task is aborted.
pub(crate) async fn socket(kind: Socket) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match kind {
                Socket::Silent => kept.push(stream),
                // What has not been read makes the end a reset.
                Socket::Reset => drop(stream),
                Socket::Garbage => {
                    let _ = stream.read(&mut [0; 16]).await;
                    let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
                }
            }
        }
    });
    (at, task)
}
