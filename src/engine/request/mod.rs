//! Requests as the caller words them, over connections of our own: what a Docker API needs.
//!
//! Any method, path, headers and body; the answer's body in pieces, as fast as they are asked
//! for; and a hijacked connection as two directions that end apart. Redirects are an answer
//! like any other: to follow one would be to trust whoever gave it. Dropping a future or a
//! stream of this module drops its connection.

mod answer;
mod chunks;
mod error;
mod exchange;
mod framing;
mod hijacked;
mod idle;
mod link;
mod paced;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

pub use answer::WholeAnswer;
pub use error::RequestError;
pub use exchange::Exchange;
pub use hijacked::{HijackedInput, HijackedOutput, SocketOutput, StreamOutput};
pub use link::Secure;

use super::connect::{Demand, keep_for};
use super::hijack::host_header;
use super::host::EngineHost;
use idle::{Idle, Silent};
use link::Link;

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
}

impl Requests {
    /// For the engine at `host`, within TLS if `secure` is given. Connecting, TLS included, may
    /// take `connect_timeout`.
    #[must_use]
    pub fn new(host: EngineHost, secure: Option<Secure>, connect_timeout: Duration) -> Self {
        let host = Arc::new(host);
        let secure = secure.map(Arc::new);
        let demand = Demand::default();
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
        Self { host, client, demand }
    }

    /// Sends `request`; resolves when the headers of the answer are there. To be called on a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// Any but `AnswerLimit`. No status is an error.
    pub async fn send(&self, request: EngineRequest) -> Result<EngineResponse, RequestError> {
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
        let parts = Head { method, target, headers };
        let asks =
            matches!(parts.method.as_str(), "GET" | "HEAD") && matches!(body, RequestBody::Empty);
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

/// A request without its body, which can be sent only once.
struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn request(
        &self,
        host: &EngineHost,
        body: RequestBody,
        idle: &Idle,
    ) -> Result<Request<Body>, RequestError> {
        let invalid = |what: String| RequestError::Invalid { what };
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| invalid(format!("{:?} is no method", self.method)))?;
        // The name is not looked up: all requests go to the engine's host.
        let uri = Some(&self.target)
            .filter(|target| target.starts_with('/'))
            .and_then(|target| format!("http://engine{target}").parse::<Uri>().ok())
            .ok_or_else(|| invalid(format!("{:?} is no path", self.target)))?;
        let mut request = Request::new(outgoing(body, idle));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            let (name, value) = match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                (Ok(known), Ok(value)) => (known, value),
                _ => {
                    return Err(invalid(format!(
                        "header {name:?} has characters that none may have"
                    )));
                }
            };
            headers.append(name, value);
        }
        if !headers.contains_key(HOST)
            && let Ok(name) = HeaderValue::from_str(&host_header(host))
        {
            headers.insert(HOST, name);
        }
        Ok(request)
    }
}

fn outgoing(body: RequestBody, idle: &Idle) -> Body {
    let never = |never: std::convert::Infallible| match never {};
    match body {
        RequestBody::Empty => Empty::new().map_err(never).boxed_unsync(),
        RequestBody::Bytes(bytes) => Full::new(bytes).map_err(never).boxed_unsync(),
        RequestBody::Stream(stream) => {
            let idle = idle.clone();
            let frames = stream.map(move |chunk| {
                idle.touch();
                chunk.map(Frame::data)
            });
            BodyExt::boxed_unsync(StreamBody::new(frames))
        }
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

/// The body of an answer, read as fast as it is asked for.
pub struct ResponseBody {
    host: Arc<EngineHost>,
    body: Incoming,
    idle: Idle,
}

impl ResponseBody {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke before the end, `IdleTimeout` if nothing came for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let frame = match self.idle.watch(self.body.frame()).await {
                Ok(frame) => frame,
                Err(Silent(after)) => {
                    return Err(RequestError::IdleTimeout { host: (*self.host).clone(), after });
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| RequestError::from_connection(&self.host, &error))?;
            // Trailers say nothing that is of use here.
            let Ok(bytes) = frame.into_data() else { continue };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`ResponseBody::next`]; `AnswerLimit` if it is longer than `limit` bytes.
    pub async fn gather(mut self, limit: usize) -> Result<Bytes, RequestError> {
        let mut whole = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if bytes.len() > limit - whole.len() {
                return Err(RequestError::AnswerLimit { limit });
            }
            if whole.is_empty() && self.body.is_end_stream() {
                return Ok(bytes);
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }
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
