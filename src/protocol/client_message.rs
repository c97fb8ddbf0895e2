//! What a client may say.

use bytes::{BufMut, Bytes, BytesMut};

use super::{DecodeError, behind_code, code};

/// What a client may say. One WebSocket message carries exactly one.
///
/// ```text
/// byte 0   code     0 stdin | 50 resize | 100 resume | 101 pause | 102 end
/// byte 1.. payload  stdin: raw bytes | resize: rows u16 LE, cols u16 LE | else ignored
/// ```
///
/// Rows and cols count character cells. The size of a payload is bounded by the transport's
/// message limit, not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Bytes for the command's standard input.
    Stdin(Bytes),
    /// The size of the client's terminal.
    Resize {
        /// Lines of text.
        rows: u16,
        /// Characters in a line.
        cols: u16,
    },
    /// You may send output again.
    Resume,
    /// Please send no more output for now.
    Pause,
    /// Standard input has ended; output goes on.
    End,
}

impl ClientMessage {
    /// Decodes one message without copying: `Stdin` shares `wire`'s storage.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Empty`] and [`DecodeError::UnknownCode`] are the caller's to skip;
    /// [`DecodeError::ShortResize`] is the peer's mistake and worth telling it.
    pub fn decode(wire: Bytes) -> Result<Self, DecodeError> {
        let Some(&first) = wire.first() else {
            return Err(DecodeError::Empty);
        };
        match first {
            code::STDIN => Ok(Self::Stdin(behind_code(wire))),
            code::RESIZE => match wire.get(1..5) {
                Some(&[r0, r1, c0, c1]) => Ok(Self::Resize {
                    rows: u16::from_le_bytes([r0, r1]),
                    cols: u16::from_le_bytes([c0, c1]),
                }),
                _ => Err(DecodeError::ShortResize(wire.len() - 1)),
            },
            code::RESUME => Ok(Self::Resume),
            code::PAUSE => Ok(Self::Pause),
            code::END => Ok(Self::End),
            other => Err(DecodeError::UnknownCode(other)),
        }
    }

    /// The bytes of this message. Copies the payload of `Stdin`.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Stdin(bytes) => super::server_message::prefixed(code::STDIN, bytes),
            Self::Resize { rows, cols } => {
                let mut wire = BytesMut::with_capacity(5);
                wire.put_u8(code::RESIZE);
                wire.put_u16_le(*rows);
                wire.put_u16_le(*cols);
                wire.freeze()
            }
            Self::Resume => Bytes::from_static(&[code::RESUME]),
            Self::Pause => Bytes::from_static(&[code::PAUSE]),
            Self::End => Bytes::from_static(&[code::END]),
        }
    }
}
