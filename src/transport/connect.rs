//! The client's side of the opening handshake.

use std::{io, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async,
    tungstenite::{
        ClientRequestBuilder, Error as WsError, client::IntoClientRequest,
        handshake::client::Request,
    },
};

use super::{KeepAlive, Peer, PeerStream, SERVER_HEADER, TlsOptions, loopback, opening::Opening};

/// The most that is kept of the body of a refusal, in bytes.
const REFUSAL_BODY: usize = 1024;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// `ws://host:port/path?query`, `wss://…`, or `ws+unix:///socket:/path?query`.
    pub url: String,
    /// Headers to send besides those of the handshake.
    pub headers: Vec<(String, String)>,
    /// For `wss:` only.
    pub tls: TlsOptions,
    /// From looking up the host to the open WebSocket.
    pub timeout: Duration,
    /// The largest message to take, in bytes.
    pub max_message_size: usize,
    /// When to ping, and when to give up.
    pub keep_alive: KeepAlive,
}

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL, a header or a TLS option cannot be used.
    #[error("{0}")]
    Option(String),
    /// The server could not be reached.
    #[error("cannot connect to {to}: {source}")]
    Unreachable {
        /// Host and port, or the socket's path.
        to: String,
        /// The system's reason.
        source: io::Error,
    },
    /// TLS failed, for instance because the server's certificate is not trusted.
    #[error("no TLS connection to {to}: {source}")]
    Tls {
        /// Host and port.
        to: String,
        /// The reason.
        source: io::Error,
    },
    /// The server answered, but not with a WebSocket.
    #[error("Unexpected server response: {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The start of the response's body.
        body: String,
    },
    /// The server's handshake was not that of a WebSocket.
    #[error("handshake with {to} failed: {reason}")]
    Handshake {
        /// Host and port, or the socket's path.
        to: String,
        /// What was wrong.
        reason: String,
    },
    /// The time was up.
    #[error("no WebSocket to {to} after {} ms: see the option for the handshake's timeout", .after.as_millis())]
    TimedOut {
        /// Host and port, or the socket's path.
        to: String,
        /// The limit.
        after: Duration,
    },
}

impl ConnectError {
    /// Stable name for programs, listed in docs/errors.md.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Option(_) => "DEW_BAD_OPTION",
            Self::Unreachable { .. } => "DEW_CONNECT_FAILED",
            Self::Tls { .. } => "DEW_TLS_FAILED",
            Self::Refused { .. } => "DEW_HANDSHAKE_REFUSED",
            Self::Handshake { .. } => "DEW_HANDSHAKE_FAILED",
            Self::TimedOut { .. } => "DEW_CONNECT_TIMEOUT",
        }
    }
}

/// Opens a WebSocket. Also answers whether the server is one of this product, which can be told
/// things that older ones choke on.
///
/// # Errors
///
/// Options are checked before anything is sent.
pub async fn connect(options: &ConnectOptions) -> Result<(Peer, bool), ConnectError> {
    let target = Target::parse(options)?;
    let to = target.to_string();
    let opening = open(target, options);
    match tokio::time::timeout(options.timeout, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(ConnectError::TimedOut { to, after: options.timeout }),
    }
}

/// A URL that was understood.
struct Target {
    place: Place,
    request: Request,
}

enum Place {
    Tcp {
        host: String,
        port: u16,
        tls: Option<TlsConnector>,
    },
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

fn bad_url(url: &str, why: &str) -> ConnectError {
    ConnectError::Option(format!("url `{url}` cannot be used: {why}"))
}

impl Target {
    fn parse(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let url = options.url.as_str();
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (place, uri) = match url.strip_prefix("ws+unix:") {
            Some(rest) => unix_place(url, rest)?,
            None => tcp_place(url, &options.tls)?,
        };
        let mut builder = ClientRequestBuilder::new(uri);
        for (name, value) in &options.headers {
            let (known, clean) = (HeaderName::try_from(name), HeaderValue::try_from(value));
            if known.is_err() || clean.is_err() {
                return Err(ConnectError::Option(format!("header `{name}` cannot be sent")));
            }
            builder = builder.with_header(name, value);
        }
        let request =
            builder.into_client_request().map_err(|error| bad_url(url, &error.to_string()))?;
        Ok(Self { place, request })
    }
}

fn tcp_place(url: &str, tls: &TlsOptions) -> Result<(Place, Uri), ConnectError> {
    let uri: Uri = url.parse().map_err(|_| bad_url(url, "it is not a URL"))?;
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err(bad_url(url, "it must begin with ws://, wss:// or ws+unix://")),
    };
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| bad_url(url, "it has no host"))?.to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tls = if secure {
        let config = tls.config().map_err(ConnectError::Option)?;
        Some(TlsConnector::from(std::sync::Arc::new(config)))
    } else {
        None
    };
    Ok((Place::Tcp { host, port, tls }, uri))
}

/// `ws+unix:///run/x.sock:/path?query`: the first `:` ends the socket's path.
#[cfg(unix)]
fn unix_place(url: &str, rest: &str) -> Result<(Place, Uri), ConnectError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
    let (socket, path) = match socket.split_once('?') {
        Some((socket, query)) => (socket, format!("/?{query}")),
        None => (socket, path.to_owned()),
    };
    if socket.is_empty() {
        return Err(bad_url(url, "it names no socket"));
    }
    let uri = format!("ws://localhost{path}").parse();
    Ok((Place::Unix(socket.into()), uri.map_err(|_| bad_url(url, "its path is malformed"))?))
}

#[cfg(not(unix))]
fn unix_place(url: &str, _: &str) -> Result<(Place, Uri), ConnectError> {
    Err(bad_url(url, "this system has no unix sockets"))
}

async fn open(target: Target, options: &ConnectOptions) -> Result<(Peer, bool), ConnectError> {
    let to = target.to_string();
    let unreachable = |source| ConnectError::Unreachable { to: to.clone(), source };
    let stream = match target.place {
        Place::Tcp { host, port, tls } => {
            let name = host.trim_start_matches('[').trim_end_matches(']');
            let tcp = loopback::connect(name, port).await.map_err(unreachable)?;
            match tls {
                None => PeerStream::Tcp(tcp),
                Some(connector) => {
                    let name = options.tls.name(&host).map_err(ConnectError::Option)?;
                    let tls = connector.connect(name, tcp).await;
                    let tls = tls.map_err(|source| ConnectError::Tls { to: to.clone(), source })?;
                    PeerStream::Tls(Box::new(tls))
                }
            }
        }
        #[cfg(unix)]
        Place::Unix(path) => {
            PeerStream::Unix(tokio::net::UnixStream::connect(path).await.map_err(unreachable)?)
        }
    };
    stream.tune();
    let mut stream = Opening::new(stream);
    match client_async(target.request, &mut stream).await {
        Ok((_, response)) => {
            let ours = response.headers().contains_key(SERVER_HEADER);
            let (stream, head) = stream.into_parts();
            let (limit, times) = (options.max_message_size, options.keep_alive);
            Ok((Peer::client(stream, head.freeze(), limit, times), ours))
        }
        Err(WsError::Http(response)) => {
            let body = stream.read_some(REFUSAL_BODY, response.headers()).await;
            let body = String::from_utf8_lossy(&body).into_owned();
            Err(ConnectError::Refused { status: response.status().as_u16(), body })
        }
        Err(WsError::Io(source)) => Err(unreachable(source)),
        Err(other) => Err(ConnectError::Handshake { to, reason: other.to_string() }),
    }
}
