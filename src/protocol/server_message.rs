//! What a server may say.

use bytes::{BufMut, Bytes, BytesMut};

use super::{DecodeError, behind_code, code};

/// What a server may say. One WebSocket message carries exactly one.
///
/// ```text
/// byte 0   code     1 stdout | 2 stderr | 100 resume | 101 pause | 200 stopped | 201 shutdown | 202 error
/// byte 1.. payload  stdout, stderr: raw bytes | stopped: exit code u8 | error: UTF-8 text | else ignored
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// Bytes of the command's standard output; all output if the command has a TTY.
    Stdout(Bytes),
    /// Bytes of the command's standard error.
    Stderr(Bytes),
    /// You may send standard input; the first one says that the exec runs.
    Resume,
    /// Please send no more standard input for now.
    Pause,
    /// The command has ended with this exit code; no output follows.
    Stopped(u8),
    /// The server is going away, and the session with it.
    Shutdown,
    /// Something failed; text for people. A close that follows ends the session.
    Error(Bytes),
}

impl ServerMessage {
    /// Decodes one message without copying: payloads share `wire`'s storage.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Empty`] and [`DecodeError::UnknownCode`] are the caller's to skip;
    /// [`DecodeError::ShortStopped`] means a broken server.
    pub fn decode(wire: Bytes) -> Result<Self, DecodeError> {
        let Some(&first) = wire.first() else {
            return Err(DecodeError::Empty);
        };
        match first {
            code::STDOUT => Ok(Self::Stdout(behind_code(wire))),
            code::STDERR => Ok(Self::Stderr(behind_code(wire))),
            code::RESUME => Ok(Self::Resume),
            code::PAUSE => Ok(Self::Pause),
            code::STOPPED => wire
                .get(1)
                .map(|&exit_code| Self::Stopped(exit_code))
                .ok_or(DecodeError::ShortStopped),
            code::SHUTDOWN => Ok(Self::Shutdown),
            code::ERROR => Ok(Self::Error(behind_code(wire))),
            other => Err(DecodeError::UnknownCode(other)),
        }
    }

    /// The bytes of this message. Copies payloads; output that is on its way from an engine
    /// is prefixed in place instead and never comes through here.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Stdout(bytes) => prefixed(code::STDOUT, bytes),
            Self::Stderr(bytes) => prefixed(code::STDERR, bytes),
            Self::Resume => Bytes::from_static(&[code::RESUME]),
            Self::Pause => Bytes::from_static(&[code::PAUSE]),
            Self::Stopped(exit_code) => Bytes::copy_from_slice(&[code::STOPPED, *exit_code]),
            Self::Shutdown => Bytes::from_static(&[code::SHUTDOWN]),
            Self::Error(text) => prefixed(code::ERROR, text),
        }
    }
}

/// One code byte and a copy of `payload`.
pub(super) fn prefixed(code: u8, payload: &[u8]) -> Bytes {
    let mut wire = BytesMut::with_capacity(1 + payload.len());
    wire.put_u8(code);
    wire.put_slice(payload);
    wire.freeze()
}
