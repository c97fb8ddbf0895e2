//! A body in chunks, out of bytes that come in any pieces.

/// Bytes of extensions and trailers of one body.
const MAX_EXTRA: usize = 16 * 1024;
/// Digits of a chunk's size.
const MAX_DIGITS: u8 = 15;

/// Where in a body we are, and what has been there besides data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    next: Next,
    /// Bytes of extensions and trailers.
    extra: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataEnd,
    /// A line behind the last chunk; whether nothing stands on it yet.
    Trailer {
        is_empty: bool,
    },
    TrailerEnd {
        is_last: bool,
    },
}

/// What some bytes are.
pub(super) enum Part<'a> {
    Data(&'a [u8]),
    Between,
    /// The last of the body.
    End,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { next: Next::START, extra: 0 }
    }
}

impl Next {
    const START: Self = Self::Size { size: 0, digits: 0 };
}

impl Chunks {
    /// Takes some of `bytes`, of which there has to be one at least, and leaves the rest.
    pub(super) fn take<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<(Part<'a>, &'a [u8]), &'static str> {
        if let Next::Data { left } = self.next {
            let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (data, rest) = bytes.split_at(count);
            let left = left - count as u64;
            self.next = if left == 0 { Next::DataReturn } else { Next::Data { left } };
            return Ok((Part::Data(data), rest));
        }
        let Some((&byte, rest)) = bytes.split_first() else { return Ok((Part::Between, bytes)) };
        if (self.next, byte) == (Next::TrailerEnd { is_last: true }, b'\n') {
            return Ok((Part::End, rest));
        }
        self.next = self.after(byte)?;
        Ok((Part::Between, rest))
    }

    /// What comes after a byte that is no data.
    fn after(&mut self, byte: u8) -> Result<Next, &'static str> {
        Ok(match (self.next, byte) {
            (Next::Size { size, digits: digits @ 0..MAX_DIGITS }, _)
                if byte.is_ascii_hexdigit() =>
            {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Next::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Next::Size { size, digits: 1.. } | Next::Extension { size }, b'\r') => {
                Next::SizeEnd { size }
            }
            (Next::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => {
                self.spend(Next::Extension { size })?
            }
            (Next::Extension { size }, _) if byte != b'\n' => {
                self.spend(Next::Extension { size })?
            }
            (Next::SizeEnd { size: 0 }, b'\n') => Next::Trailer { is_empty: true },
            (Next::SizeEnd { size }, b'\n') => Next::Data { left: size },
            (Next::DataReturn, b'\r') => Next::DataEnd,
            (Next::DataEnd, b'\n') => Next::START,
            (Next::Trailer { is_empty }, b'\r') => Next::TrailerEnd { is_last: is_empty },
            (Next::Trailer { .. }, _) if byte != b'\n' => {
                self.spend(Next::Trailer { is_empty: false })?
            }
            (Next::TrailerEnd { is_last: false }, b'\n') => Next::Trailer { is_empty: true },
            _ => return Err("a chunk is not one"),
        })
    }

    /// Counts a byte of an extension, or of a trailer.
    fn spend(&mut self, next: Next) -> Result<Next, &'static str> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err("too much stands between chunks") } else { Ok(next) }
    }
}
