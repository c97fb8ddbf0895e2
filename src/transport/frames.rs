//! Frames of RFC 6455: headers by tungstenite, everything that touches payloads by us, and so are
//! the headers of plain whole messages, of which there may be very many.

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

/// The first byte of a frame that is a binary message and all of it.
const ONLY_BINARY: u8 = 0x82;

/// Set in the second byte of a frame that has a mask.
const MASKED: u8 = 0x80;

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

/// A message as most are: binary, and in one frame, whose length takes two bytes at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'a> {
    mask: Option<[u8; 4]>,
    masked: &'a [u8],
}

/// The message at the start of `bytes`, which came to an end of `role`, and what is behind it.
/// `None` if it is not [`Whole`], not all here, or not allowed: [`parse_header`] tells which.
#[inline]
pub(super) fn parse_whole(bytes: &[u8], role: Role) -> Option<(Whole<'_>, &[u8])> {
    let (&[first, second], mut rest) = bytes.split_first_chunk()?;
    let is_masked = second & MASKED != 0;
    if first != ONLY_BINARY || is_masked != (role == Role::Server) {
        return None;
    }
    let length = match second & !MASKED {
        127 => return None,
        126 => {
            let (length, behind) = rest.split_first_chunk()?;
            rest = behind;
            u16::from_be_bytes(*length).into()
        }
        length => length.into(),
    };
    let mut mask = None;
    if is_masked {
        let (four, behind) = rest.split_first_chunk()?;
        (mask, rest) = (Some(*four), behind);
    }
    let (masked, behind) = rest.split_at_checked(length)?;
    Some((Whole { mask, masked }, behind))
}

impl Whole<'_> {
    pub(super) fn len(&self) -> usize {
        self.masked.len()
    }

    /// The first byte.
    pub(super) fn first(&self) -> Option<u8> {
        self.masked.first().map(|first| first ^ self.mask.map_or(0, |[mask, ..]| mask))
    }

    /// Without its first byte.
    pub(super) fn behind_first(mut self) -> Self {
        if let [_, rest @ ..] = self.masked {
            self.masked = rest;
            if let Some(mask) = &mut self.mask {
                mask.rotate_left(1);
            }
        }
        self
    }

    /// Copies it, unmasked, behind what `out` holds.
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let before = out.len();
        out.extend_from_slice(self.masked);
        if let Some(mask) = self.mask {
            apply_mask(&mut out[before..], mask);
        }
    }
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

    /// All that a frame's first two bytes can say, with a length of `length` where they leave that
    /// open, and a payload of so many bytes.
    fn frame(first: u8, second: u8, length: u16) -> Vec<u8> {
        let mut bytes = vec![first, second];
        let length = match second & !MASKED {
            127 => {
                bytes.extend_from_slice(&u64::from(length).to_be_bytes());
                length
            }
            126 => {
                bytes.extend_from_slice(&length.to_be_bytes());
                length
            }
            length => length.into(),
        };
        if second & MASKED != 0 {
            bytes.extend_from_slice(&[0x6d, 0xb6, 0xb2, 0x80]);
        }
        bytes.extend((0..length).map(|at| at.to_le_bytes()[0]));
        bytes
    }

    #[test]
    fn what_is_taken_whole_is_what_its_header_says() {
        for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |two| (first, two))) {
            let mut bytes = frame(first, second, 300);
            let end = bytes.len();
            bytes.extend_from_slice(b"behind");
            for role in [Role::Server, Role::Client] {
                let parsed = parse_header(&bytes, role);
                let Some((whole, behind)) = parse_whole(&bytes, role) else {
                    // What is in bulk must not be left out.
                    assert!(first != 0x82 || second & !MASKED == 127 || parsed.is_err());
                    continue;
                };
                let (header, taken) = parsed.unwrap().unwrap();
                assert_eq!((header.kind, header.fin), (Kind::Start { text: false }, true));
                assert_eq!(whole.mask, header.mask);
                assert_eq!(whole.masked, &bytes[taken..end]);
                assert_eq!(whole.len() as u64, header.length);
                assert_eq!(behind, b"behind");
            }
        }
    }

    #[test]
    fn what_is_not_all_here_is_not_whole() {
        for (role, second) in [(Role::Server, 0x85), (Role::Server, 0xfe), (Role::Client, 126)] {
            let bytes = frame(0x82, second, 300);
            assert!(parse_whole(&bytes, role).is_some());
            assert!((0..bytes.len()).all(|end| parse_whole(&bytes[..end], role).is_none()));
        }
    }

    #[test]
    fn the_first_byte_of_a_whole_message_can_be_left_out() {
        for (role, masked) in [(Role::Client, 0), (Role::Server, MASKED)] {
            for length in 0..=20 {
                let mut bytes = frame(0x82, masked | length, 0);
                let payload: Vec<u8> = (1..=length).collect();
                let start = bytes.len() - payload.len();
                bytes.truncate(start);
                bytes.extend_from_slice(&payload);
                if masked != 0 {
                    apply_mask(&mut bytes[start..], [0x6d, 0xb6, 0xb2, 0x80]);
                }
                let (whole, _) = parse_whole(&bytes, role).unwrap();
                assert_eq!(whole.first(), payload.first().copied());
                let mut out = b"before".to_vec();
                whole.append_to(&mut out);
                assert_eq!(out, [b"before", &payload[..]].concat());
                out.clear();
                whole.behind_first().append_to(&mut out);
                assert_eq!(out, payload.get(1..).unwrap_or_default());
            }
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
