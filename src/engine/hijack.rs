//! Turns an engine call into a raw stream of bytes.
//!
//! hyper speaks HTTP up to the 101 answer on a socket of our own, and then gives the
//! socket back together with whatever it had read beyond the answer.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::connect::{Socket, connect};
use super::error::EngineError;
use super::host::EngineHost;

/// The content type of a 101 answer that promises framed output (API 1.42 and later).
const FRAMED_TYPE: &[u8] = b"application/vnd.docker.multiplexed-stream";
/// The most that is read of an engine's explanation of a refusal.
const MAX_REFUSAL: usize = 64 * 1024;

/// A connection that is no longer HTTP.
pub(super) struct Hijacked {
    pub(super) socket: Socket,
    /// Bytes of the stream that came together with the 101 answer.
    pub(super) early: Bytes,
    /// Whether the answer says that output is framed. If not, it says nothing.
    pub(super) says_framed: bool,
}

/// Sends `POST path` with a JSON `body` on a new connection and takes the connection over.
///
/// # Errors
///
/// What the engine answers instead of 101, in its own words; `Unreachable` if the
/// connection cannot be made or breaks before the answer.
pub(super) async fn hijack(
    host: &EngineHost,
    connect_timeout: Duration,
    path: &str,
    body: String,
) -> Result<Hijacked, EngineError> {
    let unreachable = |source| EngineError::unreachable(host, source);
    let socket = connect(host, connect_timeout, None).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| unreachable(io::Error::other(error)))?;
    let mut connection = pin!(connection.with_upgrades().fuse());

    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, host_header(host))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "tcp")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(host, format!("cannot ask for {path:?}: {error}")))?;
    let response = alongside(connection.as_mut(), sender.send_request(request))
        .await
        .map_err(|error| unreachable(io::Error::other(error)))?;

    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(alongside(connection, refusal(host, response)).await);
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let says_framed = content_type.is_some_and(|value| value.as_bytes().starts_with(FRAMED_TYPE));
    let upgraded = alongside(connection, hyper::upgrade::on(response))
        .await
        .map_err(|error| unreachable(io::Error::other(error)))?;
    let parts = upgraded
        .downcast::<TokioIo<Socket>>()
        .map_err(|_| broken(host, "the connection changed its type".to_owned()))?;
    Ok(Hijacked { socket: parts.io.into_inner(), early: parts.read_buf, says_framed })
}

/// What to send as `Host`: proxies in front of an engine may look at it.
pub(super) fn host_header(host: &EngineHost) -> String {
    match host {
        EngineHost::Tcp { .. } => host.to_string().trim_start_matches("tcp://").to_owned(),
        _ => "localhost".to_owned(),
    }
}

/// Drives `work` together with the connection that it depends on.
async fn alongside<T>(mut connection: Pin<&mut impl Future>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // How the connection ends is seen by `work`.
        let _: Poll<_> = connection.as_mut().poll(cx);
        work.as_mut().poll(cx)
    })
    .await
}

/// The error that an answer other than 101 stands for.
async fn refusal(host: &EngineHost, response: Response<Incoming>) -> EngineError {
    let status = response.status();
    if status.is_success() {
        let what = format!(
            "it answered HTTP {} and not 101 (a proxy before it may have removed the upgrade)",
            status.as_u16()
        );
        return broken(host, what);
    }
    let body = Limited::new(response.into_body(), MAX_REFUSAL).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    let message = match message {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(&body).into_owned(),
    };
    EngineError::from_status(status.as_u16(), message)
}

fn broken(host: &EngineHost, what: String) -> EngineError {
    EngineError::Protocol { host: host.clone(), what }
}
