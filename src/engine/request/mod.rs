//! Requests as the caller words them, over connections of our own: what a Docker API needs.
//!
//! Any method, path, headers and body; the answer's body in pieces, as fast as they are asked
//! for; and a hijacked connection as two directions that end apart. Redirects are an answer
//! like any other: to follow one would be to trust whoever gave it. Dropping a future or a
//! stream of this module drops its connection.

mod answer;
mod body;
mod chunks;
mod direct;
mod error;
mod exchange;
mod framing;
mod hijacked;
mod idle;
mod link;
mod outgoing;
mod paced;
mod response_head;
mod socket_output;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

pub use answer::WholeAnswer;
pub use body::ResponseBody;
pub use error::RequestError;
pub use exchange::Exchange;
pub use hijacked::{HijackedInput, HijackedOutput, StreamOutput};
pub use link::Secure;
pub use socket_output::SocketOutput;

use super::connect::{Demand, keep_for};
use super::host::EngineHost;
use idle::{Idle, Silent};
use link::Link;
use outgoing::Head;

/// Connections kept for the next request, and for how long.
const KEPT_CONNECTIONS: usize = 32;
const KEEP_FOR: Duration = Duration::from_secs(20);
/// How often a request that only asks is made again when its connection broke under it.
const RETRIES: usize = 2;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What is sent behind a request's headers.
pub enum RequestBody {
    /// Nothing.
    Empty,
    /// These bytes, with their length.
    Bytes(Bytes),
    /// What comes, in chunks; an error gives the request up.
    Stream(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

/// One request.
pub struct EngineRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    /// Further headers; `Host` and the length of the body are added.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: RequestBody,
    /// How long nothing may be sent or received while the request or its answer is under way.
    /// A hijacked connection may be silent. Default none.
    pub idle_timeout: Option<Duration>,
    /// Whether the body of the answer may come as [`Content::Socket`], on a connection of its own:
    /// for long ones.
    pub direct: bool,
}

/// The engine's answer.
pub struct EngineResponse {
    /// The HTTP status.
    pub status: u16,
    /// The words behind the status.
    pub reason: String,
    /// The headers in their order; values that are no text are taken byte by byte.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub content: Content,
}

/// What follows the headers of an answer.
pub enum Content {
    /// A body.
    Body(ResponseBody),
    /// A body that is read straight from its socket: only if that was asked for, and not over TLS
    /// or ssh.
    Socket(Box<SocketOutput>),
    /// The connection itself, after status 101.
    Hijacked(HijackedInput, HijackedOutput),
}

/// What became of a request for another protocol.
pub(in crate::engine) enum Upgrade {
    /// The connection speaks it from here on.
    Done(Upgraded),
    /// The engine answered something else.
    Refused(EngineResponse),
}

/// Makes requests of one engine. Cloning is cheap; nothing is sent before the first request.
#[derive(Clone)]
pub struct Requests {
    host: Arc<EngineHost>,
    client: Client<Connector, Body>,
    demand: Demand,
    /// How long connecting may take for an answer with a connection of its own, where it can have one.
    direct: Option<Duration>,
}

impl Requests {
    /// For the engine at `host`, within TLS if `secure` is given. Connecting, TLS included, may
    /// take `connect_timeout`.
    #[must_use]
    pub fn new(host: EngineHost, secure: Option<Secure>, connect_timeout: Duration) -> Self {
        let host = Arc::new(host);
        let secure = secure.map(Arc::new);
        let demand = Demand::default();
        // Through ssh there are few connections, and none is fast.
        let direct = secure.is_none() && !matches!(*host, EngineHost::Ssh(_));
        let connector = Connector {
            host: Arc::clone(&host),
            secure,
            timeout: connect_timeout,
            demand: demand.clone(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(keep_for(&host, KEEP_FOR))
            .pool_max_idle_per_host(KEPT_CONNECTIONS)
            .http1_preserve_header_case(true)
            .build(connector);
        Self { host, client, demand, direct: direct.then_some(connect_timeout) }
    }

    /// Sends `request`; resolves when the headers of the answer are there. To be called on a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// Any but `AnswerLimit`. No status is an error.
    pub async fn send(&self, request: EngineRequest) -> Result<EngineResponse, RequestError> {
        if let Some(timeout) = self.direct.filter(|_| request.direct)
            && let Some(wording) = direct::wording(&self.host, &request)
        {
            let idle = Idle::new(request.idle_timeout);
            let sending = direct::send(self, wording, timeout, idle.clone());
            return idle
                .watch(sending)
                .await
                .unwrap_or_else(|Silent(after)| Err(self.silent(after)));
        }
        let (response, idle) = self.head(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.with_body(response, idle));
        }
        let (reason, headers) = (reason(&response), pairs(response.headers()));
        let (input, output) = hijacked::split(&self.host, self.taken_over(response).await?)?;
        let content = Content::Hijacked(input, output);
        Ok(EngineResponse { status: 101, reason, headers, content })
    }

    /// The same, for a connection that is to speak another protocol afterwards.
    pub(in crate::engine) async fn upgrade(
        &self,
        request: EngineRequest,
    ) -> Result<Upgrade, RequestError> {
        let (response, idle) = self.head(request).await?;
        Ok(if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            Upgrade::Done(self.taken_over(response).await?)
        } else {
            Upgrade::Refused(self.with_body(response, idle))
        })
    }

    /// HTTP for a connection to this engine that the caller makes, writes and reads; answers may
    /// have `limit` bytes.
    #[must_use]
    pub fn exchange(&self, limit: usize) -> Exchange {
        Exchange::new(Arc::clone(&self.host), limit)
    }

    fn with_body(&self, response: Response<Incoming>, idle: Idle) -> EngineResponse {
        EngineResponse {
            status: response.status().as_u16(),
            reason: reason(&response),
            headers: pairs(response.headers()),
            content: Content::Body(ResponseBody {
                host: Arc::clone(&self.host),
                body: response.into_body(),
                idle,
            }),
        }
    }

    async fn taken_over(&self, response: Response<Incoming>) -> Result<Upgraded, RequestError> {
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map_err(|error| RequestError::from_connection(&self.host, &error))
    }

    async fn head(
        &self,
        request: EngineRequest,
    ) -> Result<(Response<Incoming>, Idle), RequestError> {
        let idle = Idle::new(request.idle_timeout);
        match idle.watch(self.respond(request, &idle)).await {
            Ok(response) => Ok((response?, idle)),
            Err(Silent(after)) => Err(self.silent(after)),
        }
    }

    /// The answer's head; makes a request that changes nothing again if its connection broke.
    async fn respond(
        &self,
        request: EngineRequest,
        idle: &Idle,
    ) -> Result<Response<Incoming>, RequestError> {
        let EngineRequest { method, target, headers, body, .. } = request;
        let parts = Head { method: &method, target: &target, headers: &headers };
        let asks = matches!(parts.method, "GET" | "HEAD") && matches!(body, RequestBody::Empty);
        let _waiting = self.demand.count();
        let mut body = Some(body);
        let mut retries = RETRIES;
        loop {
            let request =
                parts.request(&self.host, body.take().unwrap_or(RequestBody::Empty), idle)?;
            match self.client.request(request).await {
                Ok(response) => return Ok(response),
                Err(error) if asks && retries > 0 && !error.is_connect() => retries -= 1,
                Err(error) => return Err(RequestError::from_client(&self.host, error)),
            }
        }
    }

    fn silent(&self, after: Duration) -> RequestError {
        RequestError::IdleTimeout { host: (*self.host).clone(), after }
    }
}

fn reason(response: &Response<Incoming>) -> String {
    let custom = response.extensions().get::<hyper::ext::ReasonPhrase>();
    match custom {
        Some(custom) => String::from_utf8_lossy(custom.as_bytes()).into_owned(),
        None => response.status().canonical_reason().unwrap_or_default().to_owned(),
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Makes the connections for hyper's pool.
#[derive(Clone)]
struct Connector {
    host: Arc<EngineHost>,
    secure: Option<Arc<Secure>>,
    timeout: Duration,
    demand: Demand,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = RequestError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Link>, RequestError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        Poll::Ready(Ok(()))
    }

    /// The URI is not looked at: every request goes to the engine's host.
    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { host, secure, timeout, demand } = self.clone();
        Box::pin(async move {
            Ok(TokioIo::new(Link::open(&host, secure.as_deref(), timeout, &demand).await?))
        })
    }
}
