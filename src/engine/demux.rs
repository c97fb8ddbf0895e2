//! Splits an engine's output into runs of stdout and stderr.
//!
//! Pure: bytes in, [`Chunk`]s out; it holds 16 bytes of state and no output. Output
//! is never held back until a frame is complete, since an engine may announce 4 GiB
//! and send it over an hour.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most payload that one [`Chunk`] carries.
///
/// The size of our largest read: one read then never makes more than a few chunks,
/// and one message to a peer stays far below any peer's limit.
pub const MAX_CHUNK: usize = 256 * 1024;

/// Length of the header before each frame: stream, 0, 0, 0, payload length (u32 BE).
const HEADER: usize = 8;

/// Which of a command's two outputs bytes belong to. With a TTY there is only stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output, or everything that a TTY shows.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A run of output of one stream; its edges mean nothing.
///
/// The byte before the payload is spare, so that a message's kind can be put there
/// without moving the payload.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Where the bytes came from.
    pub stream: OutputStream,
    /// One spare byte, then the payload.
    room: BytesMut,
}

impl Chunk {
    fn with_capacity(stream: OutputStream, payload: usize) -> Self {
        let mut room = BytesMut::with_capacity(1 + payload);
        room.put_u8(0);
        Self { stream, room }
    }

    /// Payload bytes; never 0 for a chunk that came out of an exec.
    pub fn len(&self) -> usize {
        self.room.len() - 1
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload.
    pub fn as_slice(&self) -> &[u8] {
        &self.room[1..]
    }

    /// `prefix` and the payload behind it, in one piece; nothing is copied.
    pub fn into_prefixed(mut self, prefix: u8) -> Bytes {
        self.room[0] = prefix;
        self.room.freeze()
    }

    /// The payload; nothing is copied.
    pub fn into_bytes(mut self) -> Bytes {
        self.room.advance(1);
        self.room.freeze()
    }
}

/// How an engine's output is laid out. Decided from what was asked for, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Frames with an 8-byte header.
    Framed,
    /// One stream without headers; it is all stdout.
    Raw,
}

/// A frame that names a stream which does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an output frame begins with byte {0}, which is no stream")]
pub struct UnknownStream(pub u8);

/// The splitter: feed it what was read, in any pieces.
#[derive(Debug)]
pub struct Demux {
    framing: Framing,
    /// The part of a header that has come so far.
    header: [u8; HEADER],
    header_len: usize,
    /// The stream of the current frame, and what is still missing of its payload.
    stream: OutputStream,
    missing: usize,
}

impl Demux {
    /// A splitter at the start of an output.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            header: [0; HEADER],
            header_len: 0,
            stream: OutputStream::Stdout,
            missing: 0,
        }
    }

    /// Whether the output may end here: it is not inside a header or a payload.
    pub fn at_boundary(&self) -> bool {
        self.framing == Framing::Raw || (self.header_len == 0 && self.missing == 0)
    }

    /// Appends the output in `bytes` to `chunks`.
    ///
    /// Consecutive frames of one stream become one chunk. The payloads are copied
    /// once, into buffers of their exact size: `bytes` is meant to be a scratch that
    /// all commands share, so that a queued chunk never pins an idle buffer.
    ///
    /// # Errors
    ///
    /// [`UnknownStream`] when a header is not one. What came before it is in
    /// `chunks`; what comes after it has no meaning, and feeding must stop.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        chunks: &mut VecDeque<Chunk>,
    ) -> Result<(), UnknownStream> {
        let mut open: Option<Chunk> = None;
        let fed = loop {
            if self.framing == Framing::Raw {
                self.missing = bytes.len();
            } else if self.missing == 0 {
                match self.take_header(&mut bytes) {
                    Ok(true) => continue,
                    Ok(false) => break Ok(()),
                    Err(unknown) => break Err(unknown),
                }
            }
            if bytes.is_empty() {
                break Ok(());
            }
            let mut chunk = match open.take() {
                Some(chunk) if chunk.stream == self.stream && chunk.len() < MAX_CHUNK => chunk,
                full => {
                    chunks.extend(full);
                    Chunk::with_capacity(self.stream, self.run_length(bytes))
                }
            };
            let taken = self.missing.min(bytes.len()).min(MAX_CHUNK - chunk.len());
            let (payload, rest) = bytes.split_at(taken);
            chunk.room.put_slice(payload);
            open = Some(chunk);
            self.missing -= taken;
            bytes = rest;
        };
        chunks.extend(open);
        fed
    }

    /// Takes a header, or the next part of one, off the front of `bytes`; false if more
    /// has to come first.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<bool, UnknownStream> {
        let taken = (HEADER - self.header_len).min(bytes.len());
        let (part, rest) = bytes.split_at(taken);
        self.header[self.header_len..self.header_len + taken].copy_from_slice(part);
        self.header_len += taken;
        *bytes = rest;
        if self.header_len < HEADER {
            return Ok(false);
        }
        self.header_len = 0;
        (self.stream, self.missing) = decode_header(&self.header)?;
        Ok(true)
    }

    /// How much payload of the current stream is in `bytes` before another stream's.
    ///
    /// Chunks get their exact size from this: short frames that take turns between the
    /// streams would otherwise each reserve the whole rest of a read.
    fn run_length(&self, mut bytes: &[u8]) -> usize {
        let mut missing = self.missing;
        let mut run = 0;
        loop {
            let here = missing.min(bytes.len());
            run += here;
            bytes = &bytes[here..];
            if run >= MAX_CHUNK {
                return MAX_CHUNK;
            }
            match bytes
                .split_first_chunk::<HEADER>()
                .map(|(header, rest)| (decode_header(header), rest))
            {
                Some((Ok((stream, length)), rest)) if stream == self.stream => {
                    missing = length;
                    bytes = rest;
                }
                _ => return run,
            }
        }
    }
}

/// The stream and payload length that a header announces.
fn decode_header(header: &[u8; HEADER]) -> Result<(OutputStream, usize), UnknownStream> {
    let [stream, _, _, _, length @ ..] = *header;
    let stream = match stream {
        // Engines number stdin 0, and mean stdout when they send it.
        0 | 1 => OutputStream::Stdout,
        2 => OutputStream::Stderr,
        other => return Err(UnknownStream(other)),
    };
    Ok((stream, u32::from_be_bytes(length) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn texts(chunks: VecDeque<Chunk>) -> Vec<(OutputStream, String)> {
        let text = |chunk: Chunk| String::from_utf8(chunk.into_bytes().to_vec()).unwrap();
        chunks.into_iter().map(|chunk| (chunk.stream, text(chunk))).collect()
    }

    /// xorshift: the same tearings in every run, without a crate.
    fn random(seed: &mut u64) -> usize {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed as usize
    }

    #[test]
    fn frames_of_one_stream_leave_as_one_chunk() {
        let wire = [frame(1, b"a"), frame(1, b""), frame(1, b"bc"), frame(2, b"d"), frame(1, b"e")];
        let mut chunks = VecDeque::new();
        Demux::new(Framing::Framed).feed(&wire.concat(), &mut chunks).unwrap();
        use OutputStream::{Stderr, Stdout};
        let expected = [(Stdout, "abc"), (Stderr, "d"), (Stdout, "e")];
        assert_eq!(texts(chunks), expected.map(|(stream, text)| (stream, text.to_owned())));
    }

    #[test]
    fn a_frame_is_not_waited_for() {
        let mut demux = Demux::new(Framing::Framed);
        let mut chunks = VecDeque::new();
        demux.feed(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'x'], &mut chunks).unwrap();
        assert_eq!(texts(chunks), [(OutputStream::Stdout, "x".to_owned())]);
        assert!(!demux.at_boundary());
    }

    #[test]
    fn raw_output_that_looks_framed_is_left_alone() {
        let mut demux = Demux::new(Framing::Raw);
        let mut chunks = VecDeque::new();
        demux.feed(b"\x01\0\0\0\x10\0\0\0hello", &mut chunks).unwrap();
        demux.feed(b"", &mut chunks).unwrap();
        let text = "\u{1}\0\0\0\u{10}\0\0\0hello".to_owned();
        assert_eq!(texts(chunks), [(OutputStream::Stdout, text)]);
        assert!(demux.at_boundary());
    }

    #[test]
    fn an_unknown_stream_is_named_after_what_came_before_it() {
        let wire = [frame(2, b"ok"), frame(7, b"?")].concat();
        let mut chunks = VecDeque::new();
        let error = Demux::new(Framing::Framed).feed(&wire, &mut chunks).unwrap_err();
        assert_eq!(error, UnknownStream(7));
        assert_eq!(texts(chunks), [(OutputStream::Stderr, "ok".to_owned())]);
    }

    #[test]
    fn the_prefix_goes_before_the_payload_without_a_copy() {
        let mut chunks = VecDeque::new();
        Demux::new(Framing::Framed).feed(&frame(1, b"abc"), &mut chunks).unwrap();
        let chunk = chunks.pop_front().unwrap();
        let before = chunk.as_slice().as_ptr();
        let message = chunk.into_prefixed(9);
        assert_eq!(&message[..], b"\x09abc");
        assert_eq!(message[1..].as_ptr(), before);
    }

    #[test]
    fn chunks_have_a_limit_and_no_slack() {
        let big = vec![7; MAX_CHUNK + 1];
        let wire = [frame(1, &big), frame(2, b"x"), frame(1, b"y")].concat();
        let mut chunks = VecDeque::new();
        Demux::new(Framing::Framed).feed(&wire, &mut chunks).unwrap();
        let sizes: Vec<_> =
            chunks.iter().map(|c| (c.len(), c.room.capacity() - c.room.len())).collect();
        assert_eq!(sizes, [(MAX_CHUNK, 0), (1, 0), (1, 0), (1, 0)]);
    }

    #[test]
    fn any_tearing_gives_the_same_bytes() {
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..500 {
            let (mut wire, mut sent) = (Vec::new(), [Vec::new(), Vec::new()]);
            for _ in 0..random(&mut seed) % 20 {
                let stream = random(&mut seed) % 2;
                let payload: Vec<u8> =
                    (0..random(&mut seed) % 40).map(|_| random(&mut seed) as u8).collect();
                wire.extend(frame(stream as u8 + 1, &payload));
                sent[stream].extend(payload);
            }
            let mut demux = Demux::new(Framing::Framed);
            let mut chunks = VecDeque::new();
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (part, after) = rest.split_at((1 + random(&mut seed) % 30).min(rest.len()));
                demux.feed(part, &mut chunks).unwrap();
                rest = after;
            }
            let mut got = [Vec::new(), Vec::new()];
            for chunk in chunks {
                assert!(!chunk.is_empty());
                got[usize::from(chunk.stream == OutputStream::Stderr)].extend(chunk.into_bytes());
            }
            assert_eq!(got, sent);
            assert!(demux.at_boundary());
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut seed = 42;
        for _ in 0..2000 {
            let noise: Vec<u8> = (0..64).map(|_| (random(&mut seed) % 4) as u8).collect();
            let mut chunks = VecDeque::new();
            let _ = Demux::new(Framing::Framed).feed(&noise, &mut chunks);
        }
    }
}
