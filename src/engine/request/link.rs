//! A connection for requests: an engine's socket, plain or inside TLS.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::error::RequestError;
use super::paced::PacedSocket;
use crate::engine::connect::{Demand, Socket, connect, limit};
use crate::engine::host::EngineHost;
use crate::forward::{forward_reads, forward_writes};

/// How connections to an engine are protected. Who is trusted is decided by whoever makes it.
#[derive(Clone)]
pub struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// TLS as `config` says, to an engine that proves to be `name`.
    #[must_use]
    pub fn new(config: ClientConfig, name: ServerName<'static>) -> Self {
        Self { connector: TlsConnector::from(Arc::new(config)), name }
    }
}

/// A connection that speaks HTTP until it is hijacked.
pub(super) enum Link {
    Plain(PacedSocket),
    Tls(Box<TlsStream<PacedSocket>>),
}

impl Link {
    /// Connects to `host`, TLS included, within `timeout`, for the requests of `demand`.
    pub(super) async fn open(
        host: &EngineHost,
        secure: Option<&Secure>,
        timeout: Duration,
        demand: &Demand,
    ) -> Result<Self, RequestError> {
        let opening = async {
            // The outer deadline holds for both steps; the socket's own never comes before it.
            let socket = PacedSocket::new(socket(host, timeout, demand).await?);
            let Some(Secure { connector, name }) = secure else { return Ok(Self::Plain(socket)) };
            let stream = connector.connect(name.clone(), socket).await.map_err(|error| {
                RequestError::Tls { host: host.clone(), source: Arc::new(error) }
            })?;
            Ok(Self::Tls(Box::new(stream)))
        };
        in_time(host, timeout, opening).await
    }
}

/// A connection to `host` without TLS, made within `timeout`.
pub(super) async fn plain(
    host: &EngineHost,
    timeout: Duration,
    demand: &Demand,
) -> Result<Socket, RequestError> {
    in_time(host, timeout, socket(host, timeout, demand)).await
}

async fn socket(
    host: &EngineHost,
    timeout: Duration,
    demand: &Demand,
) -> Result<Socket, RequestError> {
    connect(host, timeout.saturating_mul(2), Some(demand))
        .await
        .map_err(|error| RequestError::unreachable(host, error))
}

async fn in_time<T>(
    host: &EngineHost,
    timeout: Duration,
    opening: impl Future<Output = Result<T, RequestError>>,
) -> Result<T, RequestError> {
    let late = |_| RequestError::ConnectTimeout { host: host.clone(), after: timeout };
    tokio::time::timeout(limit(host, timeout), opening).await.map_err(late)?
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(paced) => paced.socket.connected(),
            Self::Tls(_) => Connected::new(),
        }
    }
}

forward_reads!(Link, stream in Self::Plain(stream), Self::Tls(stream));
forward_writes!(Link, stream in Self::Plain(stream), Self::Tls(stream));
