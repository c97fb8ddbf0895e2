//! Frames of RFC 6455, of which nothing is checked.

/// Opcodes with the bit that says that a frame is a message's last.
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;

/// The longest header: two bytes, eight of length, four of mask.
const HEADER: usize = 14;

/// Appends the header of a message to a client.
pub(crate) fn put_header(out: &mut Vec<u8>, first: u8, length: usize) {
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Takes apart what a client sends, in any pieces.
#[derive(Default)]
pub(crate) struct Frames {
    header: [u8; HEADER],
    have: usize,
    mask: [u8; 4],
    left: u64,
}

/// A part of a frame.
pub(crate) struct Part<'a> {
    /// The frame's first byte.
    pub(crate) first: u8,
    /// Whether the frame begins with it.
    pub(crate) begins: bool,
    /// Without its mask.
    pub(crate) payload: &'a [u8],
}

impl Frames {
    /// The next part in `bytes`, which go on behind it; `None` at their end.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a mut [u8]) -> Option<Part<'a>> {
        if self.left == 0 && !self.take_header(bytes) {
            return None;
        }
        if bytes.is_empty() && self.left > 0 {
            return None;
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let (payload, rest) = std::mem::take(bytes).split_at_mut(count);
        *bytes = rest;
        self.left -= count as u64;
        unmask(payload, self.mask);
        self.mask.rotate_left(count % 4);
        // The header is kept until then: the payload may begin with the next read.
        let begins = std::mem::take(&mut self.have) > 0;
        Some(Part { first: self.header[0], begins, payload })
    }

    /// Whether the header is whole.
    fn take_header(&mut self, bytes: &mut &mut [u8]) -> bool {
        while self.have < 2 || self.have < self.length() {
            let Some((first, rest)) = std::mem::take(bytes).split_first_mut() else { return false };
            self.header[self.have] = *first;
            self.have += 1;
            *bytes = rest;
        }
        let (header, mask) = self.header[..self.have].split_at(self.have - 4);
        self.mask.copy_from_slice(mask);
        let longer = |length: &[u8]| length.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        self.left = match header {
            [_, short] => u64::from(short & 0x7f),
            long => longer(&long[2..]),
        };
        true
    }

    fn length(&self) -> usize {
        match self.header[1] & 0x7f {
            127 => 14,
            126 => 8,
            _ => 6,
        }
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut eights = bytes.chunks_exact_mut(8);
    for eight in &mut eights {
        let word = u64::from_ne_bytes(eight.try_into().unwrap_or_default()) ^ twice;
        eight.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, mask) in eights.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
