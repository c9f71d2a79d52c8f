//! The doors of a server: where a part listens, and what it shows of itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use assay_attestation_service::Faces;
use assay_key_broker_service::KeyBroker;
use assay_listener::{Limits, Protocols, TlsIdentity};
use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::output::{self, Output};
use crate::reload::{self, Reloadable};
use crate::settings::Settings;

/// A part that listens.
pub(crate) struct Door {
    part: Part,
    listener: TcpListener,
    tls: Option<Arc<TlsIdentity>>,
}

/// What is behind a door.
enum Part {
    KeyBroker(KeyBroker),
    AttestationService(Faces),
    Provider(Router),
}

impl Part {
    fn name(&self) -> &'static str {
        match self {
            Part::KeyBroker(_) => "kbs",
            Part::AttestationService(_) => "as",
            Part::Provider(_) => "rvps",
        }
    }
}

impl Door {
    /// The key broker's. That its settings are good was looked at before.
    pub(crate) async fn of_broker(settings: &Settings, broker: KeyBroker) -> anyhow::Result<Self> {
        Door::open(Part::KeyBroker(broker), settings.server.listen, broker_tls(settings)?).await
    }

    /// The attestation service's.
    pub(crate) async fn of_service(settings: &Settings, faces: Faces) -> anyhow::Result<Self> {
        let tls = service_tls(settings)?;
        let address = settings.attestation_service.address();
        anyhow::ensure!(
            tls.is_some() || address.ip().is_loopback(),
            "attestation_service.listen: plain HTTP is served on loopback addresses only, not on {address}; set \
             attestation_service.tls_certificate and tls_key"
        );
        Door::open(Part::AttestationService(faces), address, tls).await
    }

    /// The reference value provider's.
    pub(crate) async fn of_provider(settings: &Settings, router: Router) -> anyhow::Result<Self> {
        let (tls, address) = (provider_tls(settings)?, settings.rvps.listen);
        anyhow::ensure!(
            tls.is_some() || address.ip().is_loopback(),
            "rvps.listen: plain HTTP is served on loopback addresses only, not on {address}; set rvps.tls_certificate \
             and tls_key"
        );
        Door::open(Part::Provider(router), address, tls).await
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
            Part::AttestationService(_) | Part::Provider(_) => {
                out.line(format!("listening on {scheme}://{address} ({name})"))?;
            }
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
            Part::AttestationService(_) | Part::Provider(_) => {}
        }
    }

    /// The limits that can be set anew while it serves.
    pub(crate) fn limits(&self) -> Option<Box<dyn Reloadable>> {
        match &self.part {
            Part::KeyBroker(broker) => Some(Box::new(reload::Limits(broker.clone()))),
            Part::AttestationService(_) | Part::Provider(_) => None,
        }
    }

    /// Its certificate, if it speaks TLS.
    pub(crate) fn tls_parts(&self, settings: &Settings) -> Option<Box<dyn Reloadable>> {
        let identity = Arc::clone(self.tls.as_ref()?);
        let (server, own, provider) = (&settings.server, &settings.attestation_service, &settings.rvps);
        let (files, load): ([&Option<PathBuf>; 3], fn(&Settings) -> _) = match self.part {
            Part::KeyBroker(_) => ([&server.tls_certificate, &server.tls_key, &server.client_ca], broker_tls),
            Part::AttestationService(_) => {
                ([&own.tls_certificate, &own.tls_key, &own.client_ca], service_tls)
            }
            Part::Provider(_) => {
                ([&provider.tls_certificate, &provider.tls_key, &provider.client_ca], provider_tls)
            }
        };
        let files = files.into_iter().flatten().cloned().collect();
        Some(Box::new(reload::Tls { identity, files, load }))
    }

    /// Serves until `shutdown` is ready, and then to the end of what is under way.
    pub(crate) async fn serve(self, limits: Limits, shutdown: impl Future<Output = ()>) {
        match self.part {
            Part::KeyBroker(broker) => {
                assay_key_broker_service::serve(&broker, self.listener, self.tls, shutdown).await;
            }
            Part::AttestationService(faces) => {
                let (router, both) = (faces.router(), Protocols::Http1And2);
                let faces = Arc::new(faces);
                assay_listener::serve(router, self.listener, self.tls, both, limits, faces, shutdown).await;
            }
            Part::Provider(router) => {
                let (both, nobody) = (Protocols::Http1And2, Arc::new(()));
                assay_listener::serve(router, self.listener, self.tls, both, limits, nobody, shutdown).await;
            }
        }
    }
}

/// The key broker's certificate, if it speaks TLS.
fn broker_tls(settings: &Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let server = &settings.server;
    if server.http {
        return Ok(None);
    }
    let files = (server.tls_certificate.as_deref(), server.tls_key.as_deref());
    identity(files, server.client_ca.as_deref())
}

/// The attestation service's, if its door speaks TLS.
fn service_tls(settings: &Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let own = &settings.attestation_service;
    let files = (own.tls_certificate.as_deref(), own.tls_key.as_deref());
    identity(files, own.client_ca.as_deref()).context("attestation_service")
}

/// The reference value provider's, if its door speaks TLS.
fn provider_tls(settings: &Settings) -> anyhow::Result<Option<Arc<TlsIdentity>>> {
    let own = &settings.rvps;
    let files = (own.tls_certificate.as_deref(), own.tls_key.as_deref());
    identity(files, own.client_ca.as_deref()).context("rvps")
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
