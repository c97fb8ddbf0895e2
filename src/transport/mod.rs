//! WebSockets: handshakes, limits, keep-alive and the close, on any byte stream.
//!
//! The only module that names tokio-tungstenite, tokio-rustls and hyper's server. What it hands
//! up are whole messages as [`bytes::Bytes`]; what they mean is `protocol`'s business.

mod accept;
mod connect;
mod keep_alive;
mod listen;
mod peer;
mod read_ahead;
mod stream;
mod tls;

pub use accept::{Handshake, Origins, Refusal};
pub use connect::{ConnectError, ConnectOptions, connect};
pub use keep_alive::{KeepAlive, Pulse};
pub use listen::{HandshakeLimits, Listener, Route};
pub use peer::{Incoming, Peer, PeerReceiver, PeerSender, TransportError, close_code};
pub use stream::{BridgeIo, PeerStream};
pub use tls::TlsOptions;

/// The response header by which a server of this product tells a client what it can rely on.
/// Older servers do not send it; its value is the protocol version.
pub const SERVER_HEADER: &str = "docker-exec-websocket";
