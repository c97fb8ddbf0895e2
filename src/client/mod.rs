//! The other end of a session: a client with bounded streams for input and output.
//!
//! One task owns the connection. It shares three bounded queues with the caller (input, stdout,
//! stderr) and tells of the rare rest by events. A full output queue leaves the socket unread,
//! so that the command itself waits in the end.

mod options;
mod outbox;
mod run;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

pub use crate::transport::{KeepAlive, PeerStream, TlsOptions};
use crate::{
    pipe::Pipe,
    protocol::{ClientMessage, code},
    transport::{self, ConnectError, Peer, Shortcut, TransportError},
};
pub use options::ClientOptions;
use outbox::Outbox;

/// Why a client has no session, or lost it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The session could not be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended before the exit code came: whether the command goes on is unknown.
    #[error("connection lost before the command's exit code came")]
    Lost(#[source] TransportError),
    /// The server closed the connection without an exit code, a shutdown or an error.
    #[error("server closed the connection before the exit code came (close code {code}{})", reason_text(.reason))]
    Closed {
        /// The close code.
        code: u16,
        /// The server's reason, often empty.
        reason: String,
    },
}

fn reason_text(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(", {reason}") }
}

impl ClientError {
    /// Stable name for programs, listed in docs/errors.md.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.code(),
            Self::Lost(TransportError::Lost(_)) | Self::Closed { .. } => "DEW_CONNECTION_LOST",
            Self::Lost(error) => error.code(),
        }
    }
}

/// What a client tells its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server takes input (again); the first one says that the command runs.
    Resumed,
    /// The server takes no input for now. What is written waits.
    Paused,
    /// The command has ended with this code; all its output is in the queues.
    Exit(u8),
    /// The server is going away.
    Shutdown,
    /// Text of the server's. The session goes on unless `Closed` follows.
    ServerError(String),
    /// The connection is closed. Always the last event, and it always comes.
    Closed {
        /// The server's close code, 1006 if there was none.
        code: u16,
        /// The server's reason, often empty.
        reason: String,
        /// Set if this was not a proper end.
        error: Option<ClientError>,
    },
}

/// Takes a client's events. Called from the client's task: it must be quick and not block.
pub type ClientEvents = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// A session, seen from the client. Clones share it; the connection lives until its end, or
/// until [`Client::close`] or [`Client::terminate`], not until the last clone is dropped.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    input: Arc<Pipe>,
    stdout: Arc<Pipe>,
    stderr: Arc<Pipe>,
    outbox: Outbox,
    shortcut: Shortcut,
}

/// Longer input is no key, and takes its way through the queue.
const KEY: usize = 1024;

impl Client {
    /// Connects, asks for the command, and returns when the WebSocket is open: before the
    /// command runs. Must be called within the runtime.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`]; options are checked before anything is sent.
    pub async fn connect(
        options: ClientOptions,
        events: ClientEvents,
    ) -> Result<Self, ClientError> {
        let (peer, modern) = transport::connect(&options.connect_options()).await?;
        Ok(Self::start(peer, modern, &options, events))
    }

    /// The same over a connection that somebody else has upgraded. `head` holds bytes that came
    /// behind the response; `modern` says that the response had the header
    /// [`transport::SERVER_HEADER`].
    pub async fn over(
        stream: PeerStream,
        head: Bytes,
        modern: bool,
        options: &ClientOptions,
        events: ClientEvents,
    ) -> Self {
        let (limit, keep_alive) = (options.max_message_size, options.keep_alive);
        let peer = Peer::client(stream, head, limit, keep_alive);
        Self::start(peer, modern, options, events)
    }

    fn start(peer: Peer, modern: bool, options: &ClientOptions, events: ClientEvents) -> Self {
        let (sender, receiver) = peer.split();
        let client = Self(Arc::new(Shared {
            input: Pipe::with_prefix(options.input_limit, code::STDIN),
            stdout: Pipe::new(options.output_limit),
            stderr: Pipe::new(options.output_limit),
            outbox: Outbox::new(modern),
            shortcut: sender.shortcut(),
        }));
        let close_timeout = options.close_timeout;
        let halves = (sender, receiver);
        tokio::spawn(run::run(Arc::clone(&client.0), halves, close_timeout, events));
        client
    }

    /// Takes input for the command as far as there is room; answers how many bytes that was, and
    /// [`Pipe::arm_writer`] of [`Client::input`] tells when there is more. A key that comes alone
    /// is written by the calling thread, without waking the client's task.
    #[must_use]
    pub fn write_input(&self, bytes: &[u8]) -> usize {
        let shared = &self.0;
        let message = || ClientMessage::Stdin(Bytes::copy_from_slice(bytes)).encode();
        let is_sent = (1..=KEY).contains(&bytes.len())
            && shared.outbox.send_key(Instant::now(), &shared.input, &shared.shortcut, message);
        if is_sent { bytes.len() } else { shared.input.push_slice(bytes) }
    }

    /// The queue on the way to the server: [`Client::write_input`] makes messages of input bytes,
    /// [`Pipe::push`] sends a whole message, whatever it is, in order with the input. Both wait
    /// until the server takes input. `ClientMessage::End` ends the input.
    #[must_use]
    pub fn input(&self) -> &Arc<Pipe> {
        &self.0.input
    }

    /// Ends the command's input, behind what was written.
    pub fn end_input(&self) {
        self.0.input.push(ClientMessage::End.encode());
    }

    /// The command's standard output; all output if it has a TTY. Ended behind its last byte.
    #[must_use]
    pub fn stdout(&self) -> &Arc<Pipe> {
        &self.0.stdout
    }

    /// The command's standard error; nothing if it has a TTY. Ended behind its last byte.
    #[must_use]
    pub fn stderr(&self) -> &Arc<Pipe> {
        &self.0.stderr
    }

    /// Sets the size of the command's terminal. Overtakes input that waits; of sizes that wait
    /// themselves the latest is sent.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.0.outbox.resize(ClientMessage::Resize { rows, cols }.encode());
    }

    /// Asks the server to send no output for now.
    pub fn pause(&self) {
        self.0.outbox.flow(ClientMessage::Pause.encode());
    }

    /// Asks the server to send output again.
    pub fn resume(&self) {
        self.0.outbox.flow(ClientMessage::Resume.encode());
    }

    /// Sends what the server still takes, then closes in order. Output that has not been read
    /// from the socket by then is dropped.
    pub fn close(&self) {
        self.0.outbox.close();
    }

    /// Cuts the connection.
    pub fn terminate(&self) {
        self.0.outbox.terminate();
    }
}
