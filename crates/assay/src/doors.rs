//! The doors of a server: where a part listens, and what it shows of itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use assay_attestation_service::Faces;
use assay_key_broker_service::KeyBroker;
use assay_listener::{Limits, Protocols, TlsIdentity};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::output::{self, Output};
use crate::settings::{AttestationServiceDoor, Settings};

/// A part that listens.
pub(crate) struct Door {
    part: Part,
    listener: TcpListener,
    pub(crate) tls: Option<Arc<TlsIdentity>>,
}

/// What is behind a door.
enum Part {
    KeyBroker(KeyBroker),
    AttestationService(Faces),
}

impl Part {
    fn name(&self) -> &'static str {
        match self {
            Part::KeyBroker(_) => "kbs",
            Part::AttestationService(_) => "as",
        }
    }
}

impl Door {
    /// The key broker's. That its settings are good was looked at before.
    pub(crate) async fn of_broker(settings: &Settings, broker: KeyBroker) -> anyhow::Result<Self> {
        let server = &settings.server;
        let files = (server.tls_certificate.as_deref(), server.tls_key.as_deref());
        let tls = if server.http { None } else { identity(files, server.client_ca.as_deref())? };
        Door::open(Part::KeyBroker(broker), server.listen, tls).await
    }

    /// The attestation service's.
    pub(crate) async fn of_service(own: &AttestationServiceDoor, faces: Faces) -> anyhow::Result<Self> {
        let files = (own.tls_certificate.as_deref(), own.tls_key.as_deref());
        let tls = identity(files, own.client_ca.as_deref()).context("attestation_service")?;
        let address = own.address();
        anyhow::ensure!(
            tls.is_some() || address.ip().is_loopback(),
            "attestation_service.listen: plain HTTP is served on loopback addresses only, not on {address}; set \
             attestation_service.tls_certificate and tls_key"
        );
        Door::open(Part::AttestationService(faces), address, tls).await
    }

    async fn open(part: Part, address: SocketAddr, tls: Option<Arc<TlsIdentity>>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        Ok(Door { part, listener, tls })
    }

    /// Says that it listens.
    pub(crate) fn announce(&self, out: Output) -> anyhow::Result<()> {
        let address = self.listener.local_addr()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let name = self.part.name();
        match self.part {
            Part::KeyBroker(_) => out.line(format!("listening on {scheme}://{address}"))?,
            Part::AttestationService(_) => out.line(format!("listening on {scheme}://{address} ({name})"))?,
        }
        // One line, so that a program that reads it need not wait for the end.
        if out.json {
            let line = json!({ "listening": address, "scheme": scheme, "part": name });
            output::raw(format!("{line}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Spawns what is done beside the requests. Where there are several doors, they share one store, and the
    /// key broker cares for it.
    pub(crate) fn keep_house(&self, tasks: &mut JoinSet<()>, alone: bool) {
        match &self.part {
            Part::KeyBroker(broker) => {
                let broker = broker.clone();
                tasks.spawn(async move { broker.housekeeping().await });
            }
            Part::AttestationService(faces) if alone => {
                let faces = faces.clone();
                tasks.spawn(async move { faces.housekeeping().await });
            }
            Part::AttestationService(_) => {}
        }
    }

    /// Serves until the sender of `stopped` is gone, and then to the end of what is under way.
    pub(crate) async fn serve(self, limits: Limits, mut stopped: watch::Receiver<()>) {
        let shutdown = async move { while stopped.changed().await.is_ok() {} };
        match self.part {
            Part::KeyBroker(broker) => {
                assay_key_broker_service::serve(&broker, self.listener, self.tls, shutdown).await;
            }
            Part::AttestationService(faces) => {
                let router = faces.router();
                let both = Protocols::Http1And2;
                assay_listener::serve(
                    router,
                    self.listener,
                    self.tls,
                    both,
                    limits,
                    Arc::new(faces),
                    shutdown,
                )
                .await;
            }
        }
    }
}

/// What is shown to clients, and which of theirs are believed; nothing without files.
fn identity(
    files: (Option<&Path>, Option<&Path>),
    client_ca: Option<&Path>,
) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let (certificate, key) = match files {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if client_ca.is_none() => return Ok(None),
        (None, None) => anyhow::bail!("client_ca: there are no client certificates without TLS"),
        _ => anyhow::bail!("tls_certificate and tls_key belong together"),
    };
    Ok(Some(Arc::new(match client_ca {
        Some(authorities) => TlsIdentity::load_with_clients(certificate, key, authorities, false)?,
        None => TlsIdentity::load(certificate, key)?,
    })))
}
