//! What a peer sends: bytes in, messages and control frames out. Pure.
//!
//! It owns no buffer but the piece that is being filled. Payloads are copied once, out of a buffer
//! that all connections of a thread share.

use bytes::Bytes;

use super::{
    Role,
    frames::{self, Header, Kind, MAX_HEADER, Violation, Whole},
};
use crate::{
    pipe::{PIECE, Piece},
    protocol::code,
};

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The start of a message, which is all of it unless it is longer than a piece. Messages of
    /// one stream that were there together are one, of a piece at most.
    Message(Bytes),
    /// More of the message that came last.
    Continued(Bytes),
    Ping(Bytes),
    Pong,
    /// The code and reason, if it gave any.
    Close(Option<(u16, String)>),
}

/// Puts together what comes from one peer.
#[derive(Debug)]
pub(super) struct Inbound {
    role: Role,
    limit: usize,
    /// The part of a header that has come so far.
    header: [u8; MAX_HEADER],
    header_len: usize,
    frame: Option<Current>,
    /// The message that is put together, over several frames if need be.
    message: Option<Message>,
    control: Vec<u8>,
}

/// The frame whose payload is being taken.
#[derive(Debug)]
struct Current {
    kind: Kind,
    fin: bool,
    /// The mask for the next byte.
    mask: Option<[u8; 4]>,
    missing: usize,
}

#[derive(Debug)]
struct Message {
    /// Text is checked when it is whole, and handed on then.
    text: bool,
    piece: Piece,
    /// Bytes that were handed on already.
    given: usize,
}

impl Message {
    fn item(&mut self) -> Item {
        let piece = std::mem::take(&mut self.piece);
        let length = piece.as_ref().len();
        self.given += length;
        if self.given == length {
            Item::Message(piece.freeze())
        } else {
            Item::Continued(piece.freeze())
        }
    }
}

impl Inbound {
    /// For the end of a connection that has `role`, and takes messages of at most `limit` bytes.
    pub(super) fn new(role: Role, limit: usize) -> Self {
        Self {
            role,
            limit,
            header: [0; MAX_HEADER],
            header_len: 0,
            frame: None,
            message: None,
            control: Vec::new(),
        }
    }

    /// Takes bytes off the front of `input` until something is whole; `None` if all of it was
    /// taken and nothing is. After an error nothing that follows has a meaning.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, Violation> {
        if let Some(bytes) = self.take_whole(input) {
            return Ok(Some(Item::Message(bytes)));
        }
        loop {
            let Some(frame) = &mut self.frame else {
                match self.take_header(input)? {
                    Some(header) => self.begin(&header)?,
                    None => return Ok(None),
                }
                continue;
            };
            let (into, room) = match &mut self.message {
                Some(message) if !frame.kind.is_control() => {
                    let room = if message.text { self.limit } else { PIECE };
                    if message.piece.as_ref().is_empty() {
                        message.piece = Piece::with_room(frame.missing.min(PIECE));
                    }
                    let room = room - message.piece.as_ref().len();
                    (message.piece.bytes(), room)
                }
                _ => (&mut self.control, usize::MAX),
            };
            let (now, later) = input.split_at(frame.missing.min(room).min(input.len()));
            *input = later;
            let before = into.len();
            into.extend_from_slice(now);
            frame.unmask(&mut into[before..]);
            if frame.missing > 0 {
                if now.len() == room
                    && let Some(message) = &mut self.message
                {
                    return Ok(Some(message.item()));
                }
                return Ok(None);
            }
            let (kind, fin) = (frame.kind, frame.fin);
            self.frame = None;
            if let Some(item) = self.complete(kind, fin)? {
                return Ok(Some(item));
            }
        }
    }

    /// Takes the message at the front of `input`, if all of it is there in one frame, and those
    /// behind it that go on with its stream. A flood of small ones costs the layers above as
    /// little as a few large ones.
    fn take_whole(&self, input: &mut &[u8]) -> Option<Bytes> {
        if self.header_len > 0 || self.frame.is_some() || self.message.is_some() {
            return None;
        }
        let (first, behind) = self.parse_whole(input)?;
        // Their number decides how much memory is needed.
        let (mut length, mut rest) = (first.len(), behind);
        if let Some(stream) = first.first().filter(|&first| code::is_stream(first)) {
            while let Some((next, behind)) = self.parse_whole(rest)
                && next.first() == Some(stream)
                && length + next.len() - 1 <= PIECE
            {
                (length, rest) = (length + next.len() - 1, behind);
            }
        }
        let mut piece = Piece::with_room(length);
        first.append_to(piece.bytes());
        *input = behind;
        while input.len() > rest.len()
            && let Some((next, behind)) = self.parse_whole(input)
        {
            next.behind_first().append_to(piece.bytes());
            *input = behind;
        }
        Some(piece.freeze())
    }

    fn parse_whole<'a>(&self, input: &'a [u8]) -> Option<(Whole<'a>, &'a [u8])> {
        frames::parse_whole(input, self.role).filter(|(whole, _)| whole.len() <= self.limit)
    }

    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        if self.header_len == 0
            && let Some((header, taken)) = frames::parse_header(input, self.role)?
        {
            *input = &input[taken..];
            return Ok(Some(header));
        }
        // The header came in pieces.
        while let [first, rest @ ..] = *input {
            self.header[self.header_len] = *first;
            self.header_len += 1;
            *input = rest;
            let so_far = &self.header[..self.header_len];
            if let Some((header, _)) = frames::parse_header(so_far, self.role)? {
                self.header_len = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Checks what may come now, and makes room.
    fn begin(&mut self, header: &Header) -> Result<(), Violation> {
        let have = match (header.kind, &self.message) {
            (Kind::Start { .. }, Some(_)) => {
                return Err(Violation::Protocol("a message begins inside of another"));
            }
            (Kind::Continue, None) => {
                return Err(Violation::Protocol("a frame continues no message"));
            }
            (Kind::Continue, Some(message)) => message.given + message.piece.as_ref().len(),
            _ => 0,
        };
        let length = usize::try_from(header.length).map_err(|_| Violation::TooBig)?;
        if length > self.limit.saturating_sub(have) && !header.kind.is_control() {
            return Err(Violation::TooBig);
        }
        if let Kind::Start { text } = header.kind {
            self.message = Some(Message { text, piece: Piece::default(), given: 0 });
        }
        self.frame = Some(Current {
            kind: header.kind,
            fin: header.fin,
            mask: header.mask,
            missing: length,
        });
        Ok(())
    }

    /// Acts on the end of a frame.
    fn complete(&mut self, kind: Kind, fin: bool) -> Result<Option<Item>, Violation> {
        Ok(match kind {
            Kind::Start { .. } | Kind::Continue if !fin => None,
            Kind::Start { .. } | Kind::Continue => match self.message.take() {
                Some(message)
                    if message.text && str::from_utf8(message.piece.as_ref()).is_err() =>
                {
                    return Err(Violation::NotUtf8);
                }
                message => message.map(|mut message| message.item()),
            },
            Kind::Ping => Some(Item::Ping(std::mem::take(&mut self.control).into())),
            Kind::Pong => {
                self.control = Vec::new();
                Some(Item::Pong)
            }
            Kind::Close => {
                Some(Item::Close(frames::parse_close(&std::mem::take(&mut self.control))?))
            }
        })
    }
}

impl Current {
    /// The next bytes of the payload are here.
    fn unmask(&mut self, bytes: &mut [u8]) {
        self.missing -= bytes.len();
        if let Some(mask) = &mut self.mask {
            frames::apply_mask(bytes, *mask);
            mask.rotate_left(bytes.len() % 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_made_for_what_was_only_announced() {
        let mut inbound = Inbound::new(Role::Client, 1 << 40);
        let head = [0x82, 127, 0, 0, 0, 0x80, 0, 0, 0, 0, 7];
        assert_eq!(inbound.next(&mut &head[..]), Ok(None));
        let bytes = inbound.message.as_mut().unwrap().piece.bytes();
        assert_eq!((&bytes[..], bytes.capacity()), (&[7][..], PIECE));
    }

    /// Frames with these payloads, as servers send them.
    fn wire(payloads: &[&[u8]]) -> Vec<u8> {
        let frame = |payload: &&[u8]| {
            let head = match u16::try_from(payload.len()).unwrap() {
                length @ ..126 => vec![0x82, length.to_le_bytes()[0]],
                length => [&[0x82, 126], &length.to_be_bytes()[..]].concat(),
            };
            [&head, *payload].concat()
        };
        payloads.iter().flat_map(frame).collect()
    }

    fn messages(mut input: &[u8], limit: usize) -> Vec<Bytes> {
        let mut inbound = Inbound::new(Role::Client, limit);
        let next = || match inbound.next(&mut input).unwrap()? {
            Item::Message(bytes) => Some(bytes),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn messages_of_one_stream_that_are_there_together_are_one() {
        let sent = wire(&[b"\x01a", b"\x01", b"\x01bc", b"\x02d", b"\x02e", b"\x01f", b"\x01g"]);
        assert_eq!(messages(&sent, 100), ["\x01abc", "\x02de", "\x01fg"]);
        // The last one is not all there.
        assert_eq!(messages(&sent[..sent.len() - 1], 100), ["\x01abc", "\x02de", "\x01f"]);
    }

    #[test]
    fn messages_of_no_stream_stay_what_they_are() {
        let sent: [&[u8]; 8] = [b"d", b"d", b"", b"", b"\x01a", b"", b"\x01b", b"\x01"];
        assert_eq!(messages(&wire(&sent), 100), ["d", "d", "", "", "\x01a", "", "\x01b"]);
        let sent: [&[u8]; 5] = [b"\xc8\0", b"\xc8\0", b"\xcax", b"\xcay", b"2aaaa"];
        assert_eq!(messages(&wire(&sent), 100), sent);
    }

    #[test]
    fn what_looks_like_a_message_inside_of_something_else_is_none() {
        let mut inbound = Inbound::new(Role::Client, 100);
        assert_eq!(inbound.next(&mut &b"\x89\x06"[..]), Ok(None));
        assert_eq!(inbound.next(&mut &b"\x82\x01a"[..]), Ok(None));
        let ping = Item::Ping(Bytes::from_static(b"\x82\x01a\x82\x01b"));
        assert_eq!(inbound.next(&mut &b"\x82\x01b"[..]), Ok(Some(ping)));
        assert_eq!(inbound.next(&mut &b"\x02\x06"[..]), Ok(None));
        assert_eq!(inbound.next(&mut &b"\x82\x01c"[..]), Ok(None));
        assert_eq!(inbound.next(&mut &b"\x82\x01d"[..]), Ok(None));
        let rule = "a message begins inside of another";
        assert_eq!(inbound.next(&mut &b"\x82\x01e"[..]), Err(Violation::Protocol(rule)));
    }

    #[test]
    fn what_is_joined_is_a_piece_at_most_and_holds_no_more_memory_than_it_needs() {
        let one = [&[1][..], &[7; 999]].concat();
        let sent = wire(&vec![&one[..]; 100]);
        let lengths: Vec<_> = messages(&sent, 1000).iter().map(Bytes::len).collect();
        assert_eq!(lengths, [1 + 65 * 999, 1 + 35 * 999], "66 are more than a piece");
        let large = [1; PIECE - 1];
        assert_eq!(messages(&wire(&[&[1, 2], &large]), PIECE).len(), 1, "exactly a piece");
        assert_eq!(messages(&wire(&[&[1, 2, 3], &large]), PIECE).len(), 2, "one byte more");
        let short = messages(&wire(&[b"\x01ab", b"\x01cd"]), 100).remove(0);
        assert_eq!(Vec::from(short).capacity(), 5);
    }

    #[test]
    fn s26_the_limit_is_that_of_each_message_and_not_of_what_is_joined() {
        let mut inbound = Inbound::new(Role::Client, 4);
        let sent = wire(&[b"\x01abc", b"\x01def", b"\x01ghij", b"\x01k"]);
        let mut rest = &sent[..];
        let joined = Item::Message(Bytes::from_static(b"\x01abcdef"));
        assert_eq!(inbound.next(&mut rest), Ok(Some(joined)));
        assert_eq!(inbound.next(&mut rest), Err(Violation::TooBig));
    }

    #[test]
    fn s26_a_long_message_comes_in_pieces() {
        let mut inbound = Inbound::new(Role::Client, 1 << 20);
        let head = [0x82, 127, 0, 0, 0, 0, 0, 8, 0, 1];
        assert_eq!(inbound.next(&mut &head[..]), Ok(None));
        let payload: Vec<u8> = (0..=1 << 19u32).map(|at: u32| at.to_le_bytes()[0]).collect();
        let (mut rest, mut got) = (&payload[..], Vec::new());
        while let Some(item) = inbound.next(&mut rest).unwrap() {
            match item {
                Item::Message(bytes) if got.is_empty() => got.extend_from_slice(&bytes),
                Item::Continued(bytes) if bytes.len() <= PIECE => got.extend_from_slice(&bytes),
                other => panic!("{other:?}"),
            }
        }
        assert!(got == payload);
    }
}
