//! The few messages of a build's session, in the encoding of protocol buffers; pure.
//!
//! Every field that is read or written is text or bytes: a tag (`number << 3 | 2`), a length, the
//! value. Fields of other kinds are passed over, as are those that nobody here knows.

use bytes::Bytes;

/// How a value is encoded, in the last three bits of its tag.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A message that is cut short, or of a kind that there is none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The last value of the field `number` in `message`; empty if it has none.
pub(super) fn field(message: &Bytes, number: u64) -> Result<Bytes, Malformed> {
    let mut rest: &[u8] = message;
    let mut found = Bytes::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let length = match tag & 7 {
            VARINT => {
                varint(&mut rest)?;
                continue;
            }
            FIXED64 => 8,
            FIXED32 => 4,
            BYTES => usize::try_from(varint(&mut rest)?).map_err(|_| Malformed)?,
            _ => return Err(Malformed),
        };
        let value = rest.get(..length).ok_or(Malformed)?;
        if tag == number << 3 | BYTES {
            found = message.slice_ref(value);
        }
        rest = &rest[length..];
    }
    Ok(found)
}

/// The same as text.
pub(super) fn text(message: &Bytes, number: u64) -> Result<String, Malformed> {
    String::from_utf8(field(message, number)?.into()).map_err(|_| Malformed)
}

/// Appends the field `number`; an empty value is none.
pub(super) fn put(message: &mut Vec<u8>, number: u64, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    put_varint(message, number << 3 | BYTES);
    put_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    message.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_put_is_read() {
        for length in [1, 127, 128, 500 * 1024] {
            let mut message = Vec::new();
            put(&mut message, 1, b"id");
            put(&mut message, 2, &vec![b'x'; length]);
            let message = Bytes::from(message);
            assert_eq!(text(&message, 1).as_deref(), Ok("id"));
            assert_eq!(field(&message, 2).map(|value| value.len()), Ok(length));
            assert_eq!(field(&message, 3), Ok(Bytes::new()));
        }
    }

    #[test]
    fn other_kinds_are_passed_over_and_the_last_value_counts() {
        let message = Bytes::from_static(
            b"\x08\x96\x01\x0a\x01a\x11\0\0\0\0\0\0\0\0\x0a\x01b\x1d\0\0\0\0\x98\x06\x01",
        );
        assert_eq!(text(&message, 1).as_deref(), Ok("b"));
    }

    #[test]
    fn an_empty_value_is_not_written() {
        let mut message = Vec::new();
        put(&mut message, 1, b"");
        assert!(message.is_empty());
    }

    #[test]
    fn what_is_cut_short_or_of_no_kind_is_malformed() {
        let cases: [&'static [u8]; 6] = [
            b"\x0a\x05ab",
            b"\x0a",
            b"\x80",
            b"\x0b\x01a",
            b"\x11\0\0",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ];
        for case in cases {
            assert_eq!(field(&Bytes::from_static(case), 1), Err(Malformed), "{case:?}");
        }
        assert_eq!(text(&Bytes::from_static(b"\x0a\x01\xff"), 1), Err(Malformed));
    }
}
