//! The wire protocol, version 1: that of the packages of version 3.0.0, byte for byte.
//!
//! Pure: no I/O, no clock, no tokio. One WebSocket message carries exactly one protocol message:
//! one code byte, then the payload. `docs/protocol.md` is normative; `vectors/messages.json` holds
//! the golden bytes that the Rust, Node and browser codecs are all tested with.

use bytes::{Buf, Bytes};

mod client_message;
mod open;
mod server_message;

pub use client_message::ClientMessage;
pub use open::ExecRequest;
pub use server_message::ServerMessage;

/// The first byte of each message.
pub mod code {
    /// Client to server: bytes for the command's standard input.
    pub const STDIN: u8 = 0;
    /// Server to client: bytes of the command's standard output (all output of a TTY).
    pub const STDOUT: u8 = 1;
    /// Server to client: bytes of the command's standard error.
    pub const STDERR: u8 = 2;
    /// Client to server: terminal size, rows then cols, u16 little-endian each.
    pub const RESIZE: u8 = 50;
    /// Both ways: you may send. The server's first one says that the exec runs.
    pub const RESUME: u8 = 100;
    /// Both ways: please send no more for now.
    pub const PAUSE: u8 = 101;
    /// Client to server: standard input has ended.
    pub const END: u8 = 102;
    /// Server to client, after all output: the exit code, one byte.
    pub const STOPPED: u8 = 200;
    /// Server to client: the server is going away.
    pub const SHUTDOWN: u8 = 201;
    /// Server to client: UTF-8 text for people; the session goes on unless a close follows.
    pub const ERROR: u8 = 202;

    /// Whether messages of this code are parts of a stream, so that it makes no difference where
    /// one ends and the next one begins.
    #[must_use]
    pub const fn is_stream(code: u8) -> bool {
        matches!(code, STDIN | STDOUT | STDERR)
    }
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A message without even a code byte. Both sides ignore it.
    #[error("message is empty")]
    Empty,
    /// A code that this version does not know. Both sides ignore it: later versions need that.
    #[error("message code {0} is unknown")]
    UnknownCode(u8),
    /// A resize whose payload has fewer than 4 bytes.
    #[error("resize needs 4 bytes of payload (rows, cols as u16 little-endian), got {0}")]
    ShortResize(usize),
    /// A `stopped` without an exit code.
    #[error("stopped needs 1 byte of payload (the exit code), got none")]
    ShortStopped,
}

/// The payload of a message. Advancing costs nothing, where splitting would begin to count owners.
fn behind_code(mut wire: Bytes) -> Bytes {
    wire.advance(1);
    wire
}

#[cfg(test)]
mod vectors;
