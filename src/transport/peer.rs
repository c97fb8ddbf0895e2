//! One open WebSocket, as two halves that live in one task.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{KeepAlive, PeerStream, Pulse, Role, frames::Frame, keep_alive::Heart, socket::Socket};

/// Close codes of RFC 6455, section 7.4, that we send or look for.
pub mod close_code {
    /// The session has come to its proper end.
    pub const NORMAL: u16 = 1000;
    /// This end is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the WebSocket protocol.
    pub const PROTOCOL: u16 = 1002;
    /// Never sent: the close frame had no code.
    pub const NONE: u16 = 1005;
    /// Never sent: there was no close frame.
    pub const ABNORMAL: u16 = 1006;
    /// A text message was not UTF-8.
    pub const INVALID_DATA: u16 = 1007;
    /// A message was larger than the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The server could not do what was asked.
    pub const INTERNAL: u16 = 1011;
    /// The server has no room for another session.
    pub const TRY_AGAIN: u16 = 1013;
}

/// Why a WebSocket came to an end that was not a proper close.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection ended without a close frame.
    #[error("connection to the peer was lost")]
    Lost(#[source] Option<io::Error>),
    /// The peer answered nothing for the whole of the keep-alive's two times.
    #[error("peer has been silent for {} ms, the keep-alive's limit", .0.as_millis())]
    Silent(Duration),
    /// A message was larger than the limit.
    #[error("peer sent a message larger than the limit of {limit} bytes: send smaller ones")]
    TooBig {
        /// The limit in bytes.
        limit: usize,
    },
    /// A text message was not UTF-8.
    #[error("peer sent a text message that is not UTF-8: send bytes as binary messages")]
    NotUtf8,
    /// The peer broke the WebSocket protocol.
    #[error("peer broke the WebSocket protocol: {0}")]
    Protocol(String),
}

impl TransportError {
    /// Stable name for programs, listed in docs/errors.md.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => "DEW_CONNECTION_LOST",
            Self::Silent(_) => "DEW_PEER_SILENT",
            Self::TooBig { .. } => "DEW_MESSAGE_TOO_BIG",
            Self::NotUtf8 => "DEW_NOT_UTF8",
            Self::Protocol(_) => "DEW_WEBSOCKET_PROTOCOL",
        }
    }

    /// The close code that tells the peer.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Lost(_) | Self::Silent(_) => close_code::GOING_AWAY,
            Self::TooBig { .. } => close_code::TOO_BIG,
            Self::NotUtf8 => close_code::INVALID_DATA,
            Self::Protocol(_) => close_code::PROTOCOL,
        }
    }
}

/// What came from the peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message, text as its UTF-8 bytes; of a long binary one the start. Messages of one stream
    /// ([`crate::protocol::code::is_stream`]) that were there together come as one, with their
    /// code once.
    Message(Bytes),
    /// What follows in the message that came last. Its end is not told: it makes no difference to
    /// a stream, and other messages are short.
    Continued(Bytes),
    /// The peer has closed, with this code ([`close_code::NONE`] if it gave none) and reason.
    Closed(u16, String),
}

struct Shared {
    socket: Socket,
    heart: Heart,
}

/// Both halves are polled by one task, so the lock is hardly ever contended: a [`Shortcut`] only
/// tries to take it.
type Handle = Arc<Mutex<Shared>>;

fn locked<R>(handle: &Handle, act: impl FnOnce(&mut Shared) -> R) -> R {
    act(&mut handle.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An open WebSocket.
pub struct Peer(Handle);

impl Peer {
    /// The server's end of `stream`, after the 101 was written. `head` holds bytes that came
    /// behind the request, `limit` is the size of the largest message to take.
    #[must_use]
    pub fn server(stream: PeerStream, head: Bytes, limit: usize, times: KeepAlive) -> Self {
        Self::new(stream, head, Role::Server, limit, times)
    }

    /// The client's end of `stream`, after the 101 was read. `head` holds bytes that came
    /// behind the response.
    #[must_use]
    pub fn client(stream: PeerStream, head: Bytes, limit: usize, times: KeepAlive) -> Self {
        Self::new(stream, head, Role::Client, limit, times)
    }

    fn new(stream: PeerStream, head: Bytes, role: Role, limit: usize, times: KeepAlive) -> Self {
        // Few bytes, or none, may hold on to the large buffer of whoever read the handshake.
        let socket = Socket::new(stream, &head, role, limit);
        drop(head);
        let heart = Heart::new(times, Instant::now());
        Self(Arc::new(Mutex::new(Shared { socket, heart })))
    }

    /// The two halves. They must stay in one task.
    #[must_use]
    pub fn split(self) -> (PeerSender, PeerReceiver) {
        (PeerSender(Arc::clone(&self.0)), PeerReceiver(self.0))
    }
}

/// A way past the task that has the halves, for a thread that would have to wake it. It keeps
/// nothing open.
pub struct Shortcut(Weak<Mutex<Shared>>);

/// What became of a message that took the [`Shortcut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Whole,
    /// It is in its place in the order, and waits for [`PeerSender::flush`], which tells of a
    /// failure too.
    Queued,
    /// Nothing was done: somebody else is at the connection, or it takes no shortcuts.
    No,
}

impl Shortcut {
    /// Sends one message, if that can be done at once and nothing waits to be sent before it. Never
    /// blocks. The task must not be between two messages of its own whose order matters.
    #[must_use]
    pub fn try_send(&self, wire: Bytes) -> Sent {
        let Some(handle) = self.0.upgrade() else { return Sent::No };
        let Ok(mut shared) = handle.try_lock() else { return Sent::No };
        shared.socket.try_send(Frame::Binary(wire))
    }
}

/// The half that sends.
pub struct PeerSender(Handle);

impl PeerSender {
    /// A way to send without the task that has this half.
    #[must_use]
    pub fn shortcut(&self) -> Shortcut {
        Shortcut(Arc::downgrade(&self.0))
    }

    async fn put(&mut self, frame: Frame) -> Result<(), TransportError> {
        poll_fn(|cx| locked(&self.0, |shared| shared.socket.poll_ready(cx))).await?;
        locked(&self.0, |shared| shared.socket.queue(frame))
    }

    /// Queues one message; waits only while an earlier one could not be written. Not
    /// cancel-safe: a message may be queued or not.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone.
    pub async fn feed(&mut self, wire: Bytes) -> Result<(), TransportError> {
        self.put(Frame::Binary(wire)).await
    }

    /// Writes out everything that was queued. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone.
    pub async fn flush(&mut self) -> Result<(), TransportError> {
        poll_fn(|cx| locked(&self.0, |shared| shared.socket.poll_flush(cx))).await
    }

    /// Queues and writes out one message.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone.
    pub async fn send(&mut self, wire: Bytes) -> Result<(), TransportError> {
        self.feed(wire).await?;
        self.flush().await
    }

    /// Sends a ping.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone.
    pub async fn ping(&mut self) -> Result<(), TransportError> {
        self.put(Frame::Ping).await?;
        self.flush().await
    }

    /// Makes the drop of both halves cut the connection at once.
    pub fn abort(&mut self) {
        locked(&self.0, |shared| shared.socket.stream().set_abort());
    }

    /// Sends the close frame. `reason` is cut to the 123 bytes that fit into one.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), TransportError> {
        let reason = &reason[..reason.floor_char_boundary(123)];
        match self.put(Frame::Close(Some((code, reason.to_owned())))).await {
            // The peer's own close came first and was answered.
            Err(TransportError::Lost(None)) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.flush().await,
        }
    }
}

/// The half that receives, and that knows whether the peer is alive.
pub struct PeerReceiver(Handle);

impl PeerReceiver {
    /// The next message. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Fails when the connection is gone or the peer broke a rule; the sending half can still
    /// try to say so.
    pub async fn next(&mut self) -> Result<Incoming, TransportError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`PeerReceiver::next`], for those who poll by hand.
    ///
    /// # Errors
    ///
    /// As [`PeerReceiver::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, TransportError>> {
        locked(&self.0, |Shared { socket, heart }| {
            let polled = socket.poll_next(cx);
            if socket.take_heard() {
                heart.heard(Instant::now());
            }
            polled
        })
    }

    /// The next message, if it was read already.
    ///
    /// # Errors
    ///
    /// As [`PeerReceiver::next`].
    pub async fn next_unread(&mut self) -> Option<Result<Incoming, TransportError>> {
        let now = |polled| match polled {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        };
        poll_fn(|cx| Poll::Ready(now(locked(&self.0, |shared| shared.socket.poll_unread(cx)))))
            .await
    }

    /// When to call [`PeerReceiver::beat`] next; `None` if the keep-alive is off.
    #[must_use]
    pub fn next_beat(&self) -> Option<Instant> {
        locked(&self.0, |shared| shared.heart.next())
    }

    /// The longest silence that the keep-alive bears.
    #[must_use]
    pub fn patience(&self) -> Duration {
        locked(&self.0, |shared| shared.heart.patience())
    }

    /// What the keep-alive asks for now. `excused`: the peer need not answer at the moment,
    /// since it has asked for a pause or one of us does not read.
    pub fn beat(&mut self, excused: bool) -> Pulse {
        locked(&self.0, |shared| shared.heart.beat(Instant::now(), excused))
    }

    /// Whether the peer's end of the connection is closed or broken, asked of the system without
    /// reading. `false` where that cannot be told.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        locked(&self.0, |shared| shared.socket.stream().is_hung_up())
    }

    /// After our close frame: reads and drops what still comes until the peer closes too, so
    /// that the kernel does not answer unread bytes with a reset, which would take our last
    /// words from the peer.
    pub async fn drain(&mut self, limit: Duration) {
        let _ = tokio::time::timeout(limit, async {
            while let Ok(Incoming::Message(_) | Incoming::Continued(_)) = self.next().await {}
            while self.next().await.is_ok() {}
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_is_there_at_once_and_the_rest_when_it_comes() {
        let (mut far, near) = duplex(1024);
        let never = KeepAlive { interval: Duration::ZERO, timeout: Duration::ZERO };
        let stream = PeerStream::Bridge(Box::new(near));
        let (_sender, mut receiver) = Peer::client(stream, Bytes::new(), 1024, never).split();
        let message = |bytes| Incoming::Message(Bytes::from_static(bytes));
        assert!(receiver.next_unread().await.is_none());
        far.write_all(b"\x82\x01a\x89\x00\x82\x01b\x82\x02c").await.unwrap();
        assert!(receiver.next_unread().await.is_none(), "it reads nothing itself");
        assert_eq!(receiver.next().await.unwrap(), message(b"a"));
        assert_eq!(receiver.next_unread().await.unwrap().unwrap(), message(b"b"));
        assert!(receiver.next_unread().await.is_none());
        far.write_all(b"d\x88\x00\x82\x01e").await.unwrap();
        assert_eq!(receiver.next().await.unwrap(), message(b"cd"));
        let closed = receiver.next_unread().await.unwrap().unwrap();
        assert_eq!(closed, Incoming::Closed(close_code::NONE, String::new()));
        assert!(receiver.next_unread().await.is_none(), "nothing counts behind a close");
    }

    #[cfg(unix)]
    fn peer_of(near: std::os::unix::net::UnixStream) -> (PeerSender, PeerReceiver) {
        near.set_nonblocking(true).unwrap();
        let near = tokio::net::UnixStream::from_std(near).unwrap();
        let never = KeepAlive { interval: Duration::ZERO, timeout: Duration::ZERO };
        Peer::client(PeerStream::Unix(near), Bytes::new(), 1024, never).split()
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn in_the_lane_a_message_wakes_the_lane() {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let (_sender, mut receiver) = peer_of(near);
        crate::lane::tests::alone(async move {
            let message = async {
                tokio::task::yield_now().await;
                std::io::Write::write_all(&mut far, b"\x82\x01a").unwrap();
            };
            let (came, ()) = tokio::join!(receiver.next(), message);
            assert_eq!(came.unwrap(), Incoming::Message(Bytes::from_static(b"a")));
        })
        .await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn in_the_lane_room_for_a_message_wakes_the_lane() {
        use std::io::Read;

        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let (mut sender, _receiver) = peer_of(near);
        crate::lane::tests::alone(async move {
            let mut far = far.take(250_000);
            let room = async {
                let mut some = [0; 1 << 16];
                loop {
                    tokio::task::yield_now().await;
                    match far.read(&mut some) {
                        Ok(0) => return,
                        Ok(_) => {}
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                    }
                }
            };
            tokio::join!(sender.send(vec![0; 250_000].into()), room).0.unwrap();
        })
        .await;
    }
}
