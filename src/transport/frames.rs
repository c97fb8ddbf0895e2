//! Frames of RFC 6455: headers by tungstenite, everything that touches payloads by us.

use std::{
    cell::RefCell,
    io::{self, Cursor},
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

use super::Role;
use crate::pipe::Piece;

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const MAX_HEADER: usize = 14;

/// The most payload that a control frame may have (RFC 6455, section 5.5).
const MAX_CONTROL: u64 = 125;

/// Masks that are drawn from the system at once.
const MASKS: usize = 64;

/// What a peer must not send, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A rule of the protocol.
    Protocol(&'static str),
    /// A message beyond the limit.
    TooBig,
    /// Text that is not UTF-8.
    NotUtf8,
}

/// What one frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first or only frame of a message.
    Start {
        text: bool,
    },
    /// A further frame of a message.
    Continue,
    Ping,
    Pong,
    Close,
}

impl Kind {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Ping | Self::Pong | Self::Close)
    }
}

/// A header that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) fin: bool,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
}

/// The header at the start of `bytes`, which came to an end of `role`, and its length; `None` if
/// it is not whole yet.
pub(super) fn parse_header(bytes: &[u8], role: Role) -> Result<Option<(Header, usize)>, Violation> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor);
    let Some((header, length)) = parsed.map_err(|_| Violation::Protocol("unknown opcode"))? else {
        return Ok(None);
    };
    // A header is at most 14 bytes long.
    let taken = usize::try_from(cursor.position()).unwrap_or(MAX_HEADER);
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(Violation::Protocol("reserved bits are set"));
    }
    match (role, header.mask) {
        (Role::Server, None) => return Err(Violation::Protocol("a client's frame has no mask")),
        (Role::Client, Some(_)) => return Err(Violation::Protocol("a server's frame has a mask")),
        _ => {}
    }
    let kind = match header.opcode {
        OpCode::Data(Data::Continue) => Kind::Continue,
        OpCode::Data(Data::Text) => Kind::Start { text: true },
        OpCode::Data(Data::Binary) => Kind::Start { text: false },
        OpCode::Control(Control::Ping) => Kind::Ping,
        OpCode::Control(Control::Pong) => Kind::Pong,
        OpCode::Control(Control::Close) => Kind::Close,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            return Err(Violation::Protocol("unknown opcode"));
        }
    };
    if kind.is_control() {
        if !header.is_final {
            return Err(Violation::Protocol("a control frame is fragmented"));
        }
        if length > MAX_CONTROL {
            return Err(Violation::Protocol("a control frame is longer than 125 bytes"));
        }
    }
    Ok(Some((Header { kind, fin: header.is_final, mask: header.mask, length }, taken)))
}

/// A frame to be sent. Messages are never fragmented.
#[derive(Debug)]
pub(super) enum Frame {
    Binary(Bytes),
    Ping,
    Pong(Bytes),
    /// The code and reason; the reason is at most 123 bytes long.
    Close(Option<(u16, String)>),
}

impl Frame {
    /// Appends the header to `out` and gives the payload that follows it, masked if `role` is the
    /// client's.
    pub(super) fn into_parts(self, role: Role, out: &mut BytesMut) -> io::Result<Bytes> {
        let (opcode, payload) = match self {
            Self::Binary(payload) => (OpCode::Data(Data::Binary), payload),
            Self::Ping => (OpCode::Control(Control::Ping), Bytes::new()),
            Self::Pong(payload) => (OpCode::Control(Control::Pong), payload),
            Self::Close(None) => (OpCode::Control(Control::Close), Bytes::new()),
            Self::Close(Some((code, reason))) => {
                let mut payload = BytesMut::with_capacity(2 + reason.len());
                payload.put_u16(code);
                payload.put_slice(reason.as_bytes());
                (OpCode::Control(Control::Close), payload.freeze())
            }
        };
        let mask = if role == Role::Client { Some(draw_mask()?) } else { None };
        let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
        header.format(payload.len() as u64, &mut out.writer()).map_err(io::Error::other)?;
        Ok(match mask {
            None => payload,
            Some(mask) => {
                // In place where nobody else holds the bytes.
                match payload.try_into_mut() {
                    Ok(mut payload) => {
                        apply_mask(&mut payload, mask);
                        payload.freeze()
                    }
                    Err(payload) => {
                        let mut copy = Piece::with_room(payload.len());
                        copy.bytes().extend_from_slice(&payload);
                        apply_mask(copy.bytes(), mask);
                        copy.freeze()
                    }
                }
            }
        })
    }
}

/// The code and reason of a close frame; `None` if it has neither.
pub(super) fn parse_close(payload: &[u8]) -> Result<Option<(u16, String)>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::Protocol("a close frame has half a code")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(Violation::Protocol("a close code must not be sent"));
            }
            let reason = str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Some((code, reason.to_owned())))
        }
    }
}

/// Masks or unmasks `bytes`, whose first byte is the first that `mask` is for.
pub(super) fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    // Eight at a time: the compiler makes vectors of it.
    let twice = u64::from(u32::from_ne_bytes(mask));
    let wide = twice << 32 | twice;
    let mut eights = bytes.chunks_exact_mut(8);
    for eight in &mut eights {
        let mut word = [0; 8];
        word.copy_from_slice(eight);
        eight.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, key) in eights.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// A mask that cannot be foreseen (RFC 6455, section 5.3).
fn draw_mask() -> io::Result<[u8; 4]> {
    thread_local! {
        static POOL: RefCell<(usize, [u8; 4 * MASKS])> = const { RefCell::new((MASKS, [0; 4 * MASKS])) };
    }
    POOL.with_borrow_mut(|(used, pool)| {
        if *used == MASKS {
            getrandom::fill(pool).map_err(|error| io::Error::other(error.to_string()))?;
            *used = 0;
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&pool[4 * *used..][..4]);
        *used += 1;
        Ok(mask)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_applied_byte_by_byte_whatever_the_length() {
        let mask = [0x6d, 0xb6, 0xb2, 0x80];
        for length in 0..=40u8 {
            let plain: Vec<u8> = (0..length).collect();
            let mut masked = plain.clone();
            apply_mask(&mut masked, mask);
            for (at, (&byte, &before)) in masked.iter().zip(&plain).enumerate() {
                assert_eq!(byte, before ^ mask[at % 4]);
            }
            apply_mask(&mut masked, mask);
            assert_eq!(masked, plain);
        }
    }

    #[test]
    fn masks_differ() {
        let drawn: std::collections::HashSet<_> =
            (0..3 * MASKS).map(|_| draw_mask().unwrap()).collect();
        assert!(drawn.len() > 3 * MASKS - 3, "{}", drawn.len());
    }

    #[test]
    fn close_frames_have_a_code_that_may_be_sent_and_text() {
        assert_eq!(parse_close(b""), Ok(None));
        assert_eq!(parse_close(b"\x03\xe8bye"), Ok(Some((1000, "bye".to_owned()))));
        assert!(matches!(parse_close(b"\x03"), Err(Violation::Protocol(_))));
        assert!(matches!(parse_close(b"\x03\xee"), Err(Violation::Protocol(_))));
        assert_eq!(parse_close(b"\x03\xe8\xc3\x28"), Err(Violation::NotUtf8));
    }
}
