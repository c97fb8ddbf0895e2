//! WebSockets: handshakes, limits, keep-alive and the close, on any byte stream.
//!
//! The only module that names tokio-tungstenite, tokio-rustls and hyper's server. What it hands
//! up are messages as [`bytes::Bytes`]; what they mean is `protocol`'s business, which also says
//! which of them are parts of a stream: those that came together are handed up as one.
//!
//! tokio-tungstenite does the client's handshake and the headers of frames, but for those of plain
//! whole messages, of which millions may come in a second. Buffers, masks, reads and writes are
//! ours: the library copies each payload into a buffer of the connection's own, writes from there,
//! and moves what could not be written, where we give header and payload to the system together
//! and hold nothing for a connection that is idle.

mod accept;
mod connect;
#[cfg(test)]
mod conversations;
mod frames;
mod inbound;
mod keep_alive;
mod listen;
mod loopback;
mod opening;
mod outbound;
mod peer;
mod socket;
mod stream;
mod tls;

pub use accept::{Handshake, Origins, Refusal};
pub use connect::{ConnectError, ConnectOptions, connect};
pub use keep_alive::{KeepAlive, Pulse};
pub use listen::{HandshakeLimits, Listener, Route};
#[cfg(all(unix, feature = "node"))]
pub(crate) use loopback::prepare as prepare_listener;
pub use peer::{
    Incoming, Peer, PeerReceiver, PeerSender, Sent, Shortcut, TransportError, close_code,
};
pub use stream::{BridgeIo, PeerStream};
pub use tls::TlsOptions;

use tokio_tungstenite::tungstenite::protocol::Role;

/// The response header by which a server of this product tells a client what it can rely on.
/// Older servers do not send it; its value is the protocol version.
pub const SERVER_HEADER: &str = "docker-exec-websocket";
