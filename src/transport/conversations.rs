//! The same conversations, understood by us and by tungstenite.

use std::io::{self, Cursor, Read, Write};

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::{
    self, WebSocket,
    protocol::{
        WebSocketConfig,
        frame::{Frame, FrameHeader},
    },
};

use super::{
    Role,
    frames::Violation,
    inbound::{Inbound, Item},
};
use crate::protocol::code;

/// Numbers that only look random, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn put(wire: &mut Vec<u8>, dice: &mut Dice, opcode: u8, fin: bool, payload: &[u8], role: Role) {
    let mut header = FrameHeader { is_final: fin, opcode: opcode.into(), ..FrameHeader::default() };
    if role == Role::Server {
        let mut mask = [0; 4];
        mask.fill_with(|| dice.roll(256).to_le_bytes()[0]);
        header.mask = Some(mask);
    }
    Frame::from_payload(header, payload.to_vec().into()).format(wire).unwrap();
}

/// Many small messages, most of them of streams.
fn burst(wire: &mut Vec<u8>, dice: &mut Dice, role: Role) {
    let mut bytes = [0; 600];
    bytes.fill_with(|| dice.roll(256).to_le_bytes()[0]);
    let mut stream = 1;
    for _ in 0..dice.roll(1000) {
        if dice.roll(20) == 0 {
            stream = dice.roll(4).to_le_bytes()[0];
        }
        let payload = &mut bytes[dice.roll(300)..][..dice.roll(300)];
        if let Some(first) = payload.first_mut() {
            *first = stream;
        }
        put(wire, dice, 2, true, payload, role);
    }
}

/// A conversation with everything that is allowed, and now and then something that is not.
fn conversation(dice: &mut Dice, role: Role) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..1 + dice.roll(12) {
        if dice.roll(3) == 0 {
            burst(&mut wire, dice, role);
        }
        let sizes = [0, 1, 125, 126, 4000, 65_535, 65_536, 200_000];
        let size = sizes[dice.roll(sizes.len())];
        let text = dice.roll(4) == 0;
        let mut payload: Vec<u8> = (0..size)
            .map(|at: usize| {
                if text { b'a' + at.to_le_bytes()[0] % 26 } else { dice.roll(256).to_le_bytes()[0] }
            })
            .collect();
        if !text && let Some(first) = payload.first_mut() {
            *first %= 4;
        }
        let pieces = if dice.roll(3) == 0 { 1 + dice.roll(4) } else { 1 };
        for piece in 0..pieces {
            if dice.roll(5) == 0 {
                // It looks like messages itself, should one begin to read in the middle of it.
                put(&mut wire, dice, 9, true, b"\x82\0\x82\0\x82\x01a\x82\0", role);
            }
            let (from, to) = (size * piece / pieces, size * (piece + 1) / pieces);
            let opcode = if piece > 0 {
                0
            } else if text {
                1
            } else {
                2
            };
            put(&mut wire, dice, opcode, piece + 1 == pieces, &payload[from..to], role);
        }
        match dice.roll(40) {
            0 => put(&mut wire, dice, 0, true, b"of nothing", role),
            1 => put(&mut wire, dice, 9, true, &[0; 126], role),
            2 => put(&mut wire, dice, 1, true, b"\xc3\x28", role),
            3 => put(&mut wire, dice, 8, true, b"\x03", role),
            4 => put(&mut wire, dice, 3, true, b"reserved", role),
            5 => put(&mut wire, dice, 9, false, b"", role),
            6 => put(&mut wire, dice, 2, true, &vec![0; LIMIT + 1], role),
            7 => wire.extend([0xc2, 0x80, 0, 0, 0, 0]),
            8 => wire.extend([0x82, if role == Role::Server { 0 } else { 0x80 }, 0, 0, 0, 0]),
            9 => put(&mut wire, dice, 8, true, b"\x03\xe8bye", role),
            10 => {
                put(&mut wire, dice, 2, false, b"\x01a", role);
                put(&mut wire, dice, 2, true, b"\x01b", role);
            }
            _ => {}
        }
    }
    wire
}

static LIMIT: usize = 300_000;

/// Messages of one stream are one, wherever that stream is not interrupted.
fn joined(items: Vec<Item>) -> Vec<Item> {
    let mut joined: Vec<Item> = Vec::new();
    for item in items {
        match (joined.last_mut(), item) {
            (Some(Item::Message(before)), Item::Message(more))
                if code::is_stream(*before.first().unwrap_or(&u8::MAX))
                    && before.first() == more.first() =>
            {
                let mut both = BytesMut::from(std::mem::take(before));
                both.extend_from_slice(&more[1..]);
                *before = both.freeze();
            }
            (_, item) => joined.push(item),
        }
    }
    joined
}

/// What was understood, and whether it ended in a violation.
type Understood = (Vec<Item>, Option<&'static str>);

fn ours(wire: &[u8], dice: &mut Dice, role: Role) -> Understood {
    let mut inbound = Inbound::new(role, LIMIT);
    let (mut items, mut rest) = (Vec::new(), wire);
    loop {
        let piece = [1, 3, 100, 5000, 150_000][dice.roll(5)].min(rest.len());
        let (mut now, later) = rest.split_at(piece);
        rest = later;
        loop {
            match inbound.next(&mut now) {
                Ok(Some(item @ Item::Close(_))) => {
                    items.push(item);
                    return (items, None);
                }
                Ok(Some(Item::Continued(more))) => {
                    let last = items.iter_mut().rev().find_map(|item| match item {
                        Item::Message(bytes) => Some(bytes),
                        _ => None,
                    });
                    let bytes = last.expect("a message to continue");
                    *bytes = [&bytes[..], &more].concat().into();
                }
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(Violation::Protocol(_)) => return (items, Some("protocol")),
                Err(Violation::TooBig) => return (items, Some("too big")),
                Err(Violation::NotUtf8) => return (items, Some("not UTF-8")),
            }
        }
        if rest.is_empty() {
            return (items, None);
        }
    }
}

struct Wire<'a>(Cursor<&'a [u8]>);

impl Read for Wire<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(wire: &[u8], role: Role) -> Understood {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .max_write_buffer_size(usize::MAX);
    let mut socket = WebSocket::from_raw_socket(Wire(Cursor::new(wire)), role, Some(config));
    let mut items = Vec::new();
    loop {
        use tungstenite::{Error, Message};
        items.push(match socket.read() {
            Ok(Message::Binary(bytes)) => Item::Message(bytes),
            Ok(Message::Text(text)) => Item::Message(text.into()),
            Ok(Message::Ping(payload)) => Item::Ping(payload),
            Ok(Message::Pong(_)) => Item::Pong,
            Ok(Message::Close(given)) => {
                let given = given.map(|frame| (frame.code.into(), frame.reason.to_string()));
                items.push(Item::Close(given));
                return (items, None);
            }
            Ok(Message::Frame(_)) => unreachable!("only ever sent"),
            Err(Error::Capacity(_)) => return (items, Some("too big")),
            Err(Error::Utf8(_)) => return (items, Some("not UTF-8")),
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (items, None),
            Err(_) => return (items, Some("protocol")),
        });
    }
}

#[test]
fn conversations_are_understood_as_tungstenite_does() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut outcomes = std::collections::BTreeMap::new();
    let mut saved = 0;
    for round in 0..400 {
        for role in [Role::Server, Role::Client] {
            let wire = conversation(&mut dice, role);
            let (mut ours, mut theirs) = (ours(&wire, &mut dice, role), theirs(&wire, role));
            // A ping inside of a long message comes between its pieces here, and before it there.
            ours.0.sort_by_key(|item| matches!(item, Item::Ping(_)));
            theirs.0.sort_by_key(|item| matches!(item, Item::Ping(_)));
            saved += theirs.0.len() - ours.0.len();
            let (ours, theirs) = ((joined(ours.0), ours.1), (joined(theirs.0), theirs.1));
            assert!(ours == theirs, "round {round}: {:?} against {:?}", ours.1, theirs.1);
            *outcomes.entry(ours.1).or_insert(0) += 1;
        }
    }
    assert!(saved > 100_000, "only {saved} messages came with others");
    assert_eq!(outcomes.len(), 4, "the dice were not thorough: {outcomes:?}");
}
