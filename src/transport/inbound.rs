//! What a peer sends: bytes in, whole messages and control frames out. Pure.
//!
//! It owns no buffer but the message that is being put together. Payloads are copied once, out of
//! a buffer that all connections of a thread share, or read straight into the message.

use bytes::{Bytes, BytesMut};

use super::{
    Role,
    frames::{self, Header, Kind, MAX_HEADER, Violation},
};

/// The most room that is made before the bytes for it are here: a peer may announce what it
/// never sends.
const RESERVE: usize = 256 * 1024;

/// A payload with at least this much still missing is read straight into its message.
const DIRECT: usize = 16 * 1024;

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole message; text as its UTF-8 bytes.
    Message(Bytes),
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
    control: BytesMut,
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
    text: bool,
    bytes: BytesMut,
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
            control: BytesMut::new(),
        }
    }

    /// Takes bytes off the front of `input` until something is whole; `None` if all of it was
    /// taken and nothing is. After an error nothing that follows has a meaning.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, Violation> {
        loop {
            let Some(frame) = &mut self.frame else {
                match self.take_header(input)? {
                    Some(header) => self.begin(&header)?,
                    None => return Ok(None),
                }
                continue;
            };
            let (now, later) = input.split_at(frame.missing.min(input.len()));
            *input = later;
            let into = match (frame.kind, &mut self.message) {
                (Kind::Start { .. } | Kind::Continue, Some(message)) => &mut message.bytes,
                _ => &mut self.control,
            };
            let before = into.len();
            into.extend_from_slice(now);
            frame.unmask(&mut into[before..]);
            if frame.missing > 0 {
                return Ok(None);
            }
            let (kind, fin) = (frame.kind, frame.fin);
            self.frame = None;
            if let Some(item) = self.complete(kind, fin)? {
                return Ok(Some(item));
            }
        }
    }

    /// Where to read to, and at most how many bytes, while much of a payload is missing; `None`
    /// when bytes go through [`Inbound::next`]. Follow with [`Inbound::filled`].
    pub(super) fn direct(&mut self) -> Option<(&mut BytesMut, usize)> {
        let (Some(frame), Some(message)) = (&self.frame, &mut self.message) else { return None };
        if frame.missing < DIRECT || !matches!(frame.kind, Kind::Start { .. } | Kind::Continue) {
            return None;
        }
        if message.bytes.capacity() == message.bytes.len() {
            message.bytes.reserve(frame.missing.min(RESERVE));
        }
        Some((&mut message.bytes, frame.missing))
    }

    /// `count` bytes were read to where [`Inbound::direct`] said.
    pub(super) fn filled(&mut self, count: usize) {
        if let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) {
            let before = message.bytes.len() - count;
            frame.unmask(&mut message.bytes[before..]);
        }
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
            (Kind::Start { .. }, None) => 0,
            (Kind::Continue, Some(message)) => message.bytes.len(),
            (Kind::Ping | Kind::Pong | Kind::Close, _) => 0,
        };
        let length = usize::try_from(header.length).map_err(|_| Violation::TooBig)?;
        if length > self.limit.saturating_sub(have) && !header.kind.is_control() {
            return Err(Violation::TooBig);
        }
        if let Kind::Start { text } = header.kind {
            self.message =
                Some(Message { text, bytes: BytesMut::with_capacity(length.min(RESERVE)) });
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
                Some(message) if message.text && str::from_utf8(&message.bytes).is_err() => {
                    return Err(Violation::NotUtf8);
                }
                message => message.map(|message| Item::Message(message.bytes.freeze())),
            },
            Kind::Ping => Some(Item::Ping(std::mem::take(&mut self.control).freeze())),
            Kind::Pong => {
                self.control = BytesMut::new();
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
        let head = [0x82, 127, 0, 0, 0, 0x80, 0, 0, 0, 0];
        assert_eq!(inbound.next(&mut &head[..]), Ok(None));
        let (into, most) = inbound.direct().unwrap();
        assert!(into.capacity() <= RESERVE && most == 1 << 39);
    }
}
