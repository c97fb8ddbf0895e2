//! A listener of our own: TCP, HTTP/1, WebSockets on the paths that a [`Route`] takes.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming as Body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Handshake, PeerStream, Refusal, loopback};

/// The most bytes that a request's line and headers may have together. hyper's smallest.
const MAX_HEAD: usize = 8192;

/// The most headers of a request: twice what browsers behind two proxies send.
const MAX_HEADERS: usize = 64;

/// How long accepting rests after an error, such as having no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds on what happens before a WebSocket is open.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeLimits {
    /// From accepting a connection to having answered its request.
    pub timeout: Duration,
    /// Connections that may be in their handshake at once; others wait in the kernel's queue.
    pub concurrent: usize,
}

/// Decides on requests and takes the WebSockets.
pub trait Route: Send + Sync + 'static {
    /// Why this request does not become a WebSocket here, if it does not.
    fn refusal(&self, request: &Handshake) -> Option<Refusal>;

    /// Takes the connection of a request that was not refused; the 101 has been written.
    fn open(&self, stream: PeerStream, head: Bytes, request: Handshake);
}

/// A bound TCP listener.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// What `host` (a name or an address) and `port` (0 for any free one) mean.
    ///
    /// # Errors
    ///
    /// The system's, such as a name that nobody knows.
    pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    /// Binds to the first of `addresses` that can be bound to.
    ///
    /// # Errors
    ///
    /// The system's, such as an address in use.
    pub async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses).await?;
        loopback::prepare((&listener).into());
        Ok(Self(listener))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `cancel`. Each connection is a task of `tasks` until its WebSocket, if it
    /// comes to that, has been handed to `route`.
    pub async fn serve(
        self,
        route: Arc<dyn Route>,
        limits: HandshakeLimits,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) {
        let handshakes = Arc::new(Semaphore::new(limits.concurrent));
        loop {
            let accepted = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                accepted = accept(&self.0, &handshakes) => accepted,
            };
            match accepted {
                Ok((stream, address, permit)) => {
                    let (route, cancel) = (Arc::clone(&route), cancel.clone());
                    tasks.spawn(async move {
                        let _permit = permit;
                        let answer = answer(stream, address, route, limits);
                        tokio::select! {
                            biased;
                            () = cancel.cancelled() => {}
                            _ = tokio::time::timeout(limits.timeout, answer) => {}
                        }
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit =
        Arc::clone(handshakes).acquire_owned().await.map_err(|_| io::ErrorKind::Interrupted)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, permit))
}

/// Answers the requests of one connection; returns when it is closed or has become a WebSocket
/// that was handed on.
async fn answer(
    stream: TcpStream,
    address: SocketAddr,
    route: Arc<dyn Route>,
    limits: HandshakeLimits,
) {
    let opened = Mutex::new(None);
    let service = service_fn(|mut request: Request<Body>| {
        let handshake = handshake(&request, address);
        let refusal = route.refusal(&handshake);
        let response = match &refusal {
            Some(refusal) => refused(refusal),
            None => switching(&handshake),
        };
        if refusal.is_none() {
            *locked(&opened) = Some((hyper::upgrade::on(&mut request), handshake));
        }
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if connection.await.is_err() {
        return;
    }
    let Some((upgrade, handshake)) = locked(&opened).take() else { return };
    let Ok(upgraded) = upgrade.await else { return };
    if let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() {
        route.open(PeerStream::Tcp(parts.io.into_inner()), parts.read_buf, handshake);
    }
}

fn locked<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handshake(request: &Request<Body>, address: SocketAddr) -> Handshake {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter();
    Handshake {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
        remote_address: Some(address.ip().to_string()),
        secure: false,
    }
}

fn switching(handshake: &Handshake) -> Response<Full<Bytes>> {
    response(StatusCode::SWITCHING_PROTOCOLS, handshake.acceptance(), Bytes::new())
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = refusal.headers().into_iter().map(|(name, value)| (name, value.to_owned()));
    response(status, headers, refusal.body().into())
}

fn response(
    status: StatusCode,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        // All values are ours or were checked by `Handshake::refusal`.
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
