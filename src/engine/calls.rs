//! Typed calls: bollard's models over connections of our own.
//!
//! Connections are kept and used again. One that the engine closed meanwhile (a
//! restart) fails a call that never reached the new engine, so a call that fails on
//! its connection is made again on a new one.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::{BollardRequest, Docker, errors::Error as BollardError};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

use super::ApiVersion;
use super::connect::{Demand, Socket, connect, keep_for};
use super::error::EngineError;
use super::hijack::host_header;
use super::host::EngineHost;
use super::ssh::SshError;

/// Connections kept for the next call, and for how long. An engine gives each a
/// goroutine and a descriptor; more than this help nobody, since calls take 1-2 ms.
const KEPT_CONNECTIONS: usize = 4;
const KEEP_FOR: Duration = Duration::from_secs(20);
/// How often a call is made again after its connection failed under it: once for each
/// connection that may have been kept, and the last on a new one.
const RETRIES: usize = KEPT_CONNECTIONS;

/// What URIs begin with. The name is not looked up: all go to the engine's host.
const BASE: &str = "http://engine";

/// Makes the calls of one engine.
#[derive(Clone)]
pub(super) struct Calls {
    host: Arc<EngineHost>,
    timeout: Duration,
    client: Client<Connector, Full<Bytes>>,
    demand: Demand,
}

impl Calls {
    pub(super) fn new(host: Arc<EngineHost>, timeout: Duration, connect_timeout: Duration) -> Self {
        let demand = Demand::default();
        let connector =
            Connector { host: Arc::clone(&host), timeout: connect_timeout, demand: demand.clone() };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(keep_for(&host, KEEP_FOR))
            .pool_max_idle_per_host(KEPT_CONNECTIONS)
            .build(connector);
        Self { host, timeout, client, demand }
    }

    /// Makes one call in version `api`, within the deadline; `what` names it in errors.
    pub(super) async fn call<T, F>(
        &self,
        api: Option<ApiVersion>,
        what: &str,
        make: impl FnOnce(Docker) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, BollardError>>,
    {
        let docker = self.docker(api)?;
        let _waiting = self.demand.count();
        // In a box: calls are rare, and every session has room for several of them in its task.
        match tokio::time::timeout(self.timeout, Box::pin(make(docker))).await {
            Err(_) => Err(EngineError::timed_out(&self.host, what, self.timeout)),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.convert(what, error)),
        }
    }

    /// Opens an endless answer: only its beginning has a deadline.
    pub(super) async fn stream(
        &self,
        api: ApiVersion,
        path: &str,
    ) -> Result<Incoming, EngineError> {
        let unreachable = |source| EngineError::unreachable(&self.host, source);
        let request = Request::builder()
            .uri(format!("{BASE}/v{api}{path}"))
            .header(HOST, host_header(&self.host))
            .body(Full::new(Bytes::new()))
            .map_err(|error| unreachable(io::Error::other(error)))?;
        let _waiting = self.demand.count();
        let response = tokio::time::timeout(self.timeout, self.client.request(request))
            .await
            .map_err(|_| EngineError::timed_out(&self.host, path, self.timeout))?
            .map_err(|error| unreachable(cause(error)))?;
        match response.status() {
            status if status.is_success() => Ok(response.into_body()),
            status => Err(EngineError::from_status(status.as_u16(), path.to_owned())),
        }
    }

    /// bollard's client over our connections; its own deadline is not before ours.
    fn docker(&self, api: Option<ApiVersion>) -> Result<Docker, EngineError> {
        let client = self.client.clone();
        let host = HeaderValue::from_str(&host_header(&self.host)).ok();
        let transport = move |request: BollardRequest| {
            let (client, host) = (client.clone(), host.clone());
            async move { send(client, host, api, request).await }
        };
        Docker::connect_with_custom_transport(
            transport,
            Some(BASE),
            self.timeout.as_secs() + 1,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| self.convert("set-up", error))
    }

    /// Our error for one of bollard's.
    pub(super) fn convert(&self, what: &str, error: BollardError) -> EngineError {
        let unreachable = |source| EngineError::unreachable(&self.host, source);
        match error {
            BollardError::DockerResponseServerError { status_code, message } => {
                EngineError::from_status(status_code, message)
            }
            BollardError::IOError { err } => unreachable(err),
            BollardError::HyperResponseError { err } => unreachable(io::Error::other(err)),
            BollardError::RequestTimeoutError => {
                EngineError::timed_out(&self.host, what, self.timeout)
            }
            other => EngineError::Protocol {
                host: (*self.host).clone(),
                what: format!("its answer to {what} cannot be read: {other}"),
            },
        }
    }
}

/// Sends `request`, again if a kept connection turns out to be dead.
///
/// Every call that goes through here may be made twice: reading changes nothing, the
/// second resize is the first, and an exec that was created and never started is
/// nothing but an entry that the engine drops by itself.
async fn send(
    client: Client<Connector, Full<Bytes>>,
    host: Option<HeaderValue>,
    api: Option<ApiVersion>,
    request: BollardRequest,
) -> Result<Response<Incoming>, BollardError> {
    let (mut parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Err(io::Error::other(error.to_string()).into()),
    };
    // bollard leaves the version out of its paths (0.21.1 joins it away).
    if let Some(api) = api {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let versioned = format!("{BASE}/v{api}{path}").parse::<Uri>();
        parts.uri = versioned.map_err(|error| io::Error::other(error.to_string()))?;
    }
    if let Some(host) = host {
        parts.headers.insert(HOST, host);
    }
    let mut retries = RETRIES;
    loop {
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        match client.request(request).await {
            Ok(response) => return Ok(response),
            Err(error) if error.is_connect() || retries == 0 => return Err(cause(error).into()),
            Err(_) => retries -= 1,
        }
    }
}

/// The operating system's error inside, so that its kind is kept.
fn cause(error: ClientError) -> io::Error {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            if let Some(error) = SshError::find(io) {
                return error.clone().into();
            }
            return io::Error::new(io.kind(), io.to_string());
        }
        source = inner.source();
    }
    io::Error::other(error)
}

/// Makes the connections for hyper's pool.
#[derive(Clone)]
struct Connector {
    host: Arc<EngineHost>,
    timeout: Duration,
    demand: Demand,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Socket>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The URI is not looked at: every call of an engine goes to its host.
    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { host, timeout, demand } = self.clone();
        Box::pin(async move { Ok(TokioIo::new(connect(&host, timeout, Some(&demand)).await?)) })
    }
}
