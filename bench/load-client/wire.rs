//! Takes apart what servers send, and puts together what clients do.
//!
//! Two wires: messages of the protocol in WebSocket frames, and the engine's own stream.

/// Codes of the protocol, first byte of each message.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const RESUME: u8 = 100;
const PAUSE: u8 = 101;
const END: u8 = 102;
const STOPPED: u8 = 200;
const ERROR: u8 = 202;

const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Not zero: a server has to unmask for real. Zeros masked are this, again and again.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const ENGINE_HEADER: usize = 8;
/// How much of the first output is kept, to be looked at.
const KEEP: usize = 64;
const MAX_CONTROL: u64 = 125;

/// How a stream is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    WebSocket,
    Engine,
}

/// What a session has been sent.
#[derive(Default)]
pub(crate) struct Seen {
    /// Bytes of stdout and stderr, and in how many frames.
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    /// The beginning of the output.
    pub(crate) text: Vec<u8>,
    pub(crate) started: bool,
    pub(crate) paused: bool,
    pub(crate) exit_code: Option<u8>,
    /// What the server said was wrong.
    pub(crate) error: Vec<u8>,
    pub(crate) closed: bool,
    /// The payload of a ping that is not answered yet.
    pub(crate) ping: Option<Vec<u8>>,
}

/// Where in the stream we are.
pub(crate) struct Reader {
    wire: Wire,
    head: [u8; 10],
    have: usize,
    /// Bytes of the current frame's payload still to come.
    left: u64,
    opcode: u8,
    last: bool,
    /// The current message's code, once it is here.
    code: Option<u8>,
    control: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(wire: Wire) -> Self {
        let (head, control) = ([0; 10], Vec::new());
        Self { wire, head, have: 0, left: 0, opcode: 0, last: true, code: None, control }
    }

    /// How many of the next bytes are output and nothing else.
    pub(crate) fn output_left(&self) -> u64 {
        if matches!(self.code, Some(STDOUT | STDERR)) { self.left } else { 0 }
    }

    /// Counts so many bytes of output that were not even looked at.
    pub(crate) fn skip(&mut self, count: u64, seen: &mut Seen) {
        seen.bytes += count;
        self.left -= count;
        if self.left == 0 {
            self.end_frame(seen);
        }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8], seen: &mut Seen) -> Result<(), String> {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let take = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.payload(&bytes[..take], seen);
                self.left -= take as u64;
                bytes = &bytes[take..];
                if self.left == 0 {
                    self.end_frame(seen);
                }
                continue;
            }
            self.head[self.have] = first;
            self.have += 1;
            bytes = rest;
            if self.have == self.head_length() {
                self.have = 0;
                self.begin_frame(seen)?;
            }
        }
        Ok(())
    }

    fn head_length(&self) -> usize {
        match (self.wire, self.have, self.head[1]) {
            (Wire::Engine, ..) => ENGINE_HEADER,
            (Wire::WebSocket, 2.., 126) => 4,
            (Wire::WebSocket, 2.., 127) => 10,
            _ => 2,
        }
    }

    fn begin_frame(&mut self, seen: &mut Seen) -> Result<(), String> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        if self.wire == Wire::Engine {
            self.code = Some(self.head[0]);
            self.left = number(&self.head[4..8]);
            seen.frames += 1;
            return Ok(());
        }
        self.opcode = self.head[0] & 0x0f;
        self.last = self.head[0] & FIN != 0;
        self.left = match self.head[1] {
            126 => number(&self.head[2..4]),
            127 => number(&self.head[2..10]),
            length => u64::from(length),
        };
        match self.opcode {
            BINARY => self.code = None,
            CONTINUATION => {}
            CLOSE | PING | PONG if self.left <= MAX_CONTROL => self.control.clear(),
            opcode => return Err(format!("the server sent a frame of opcode {opcode}")),
        }
        if self.left == 0 {
            self.end_frame(seen);
        }
        Ok(())
    }

    fn payload(&mut self, mut bytes: &[u8], seen: &mut Seen) {
        if self.wire == Wire::WebSocket && self.opcode >= CLOSE {
            self.control.extend_from_slice(bytes);
            return;
        }
        let code = match self.code {
            Some(code) => code,
            None => {
                let code = bytes[0];
                self.code = Some(code);
                bytes = &bytes[1..];
                seen.started |= code == RESUME;
                seen.frames += u64::from(matches!(code, STDOUT | STDERR));
                if matches!(code, RESUME | PAUSE) {
                    seen.paused = code == PAUSE;
                }
                code
            }
        };
        match code {
            STDOUT | STDERR => {
                seen.bytes += bytes.len() as u64;
                let room = KEEP.saturating_sub(seen.text.len()).min(bytes.len());
                seen.text.extend_from_slice(&bytes[..room]);
            }
            STOPPED => seen.exit_code = bytes.first().copied().or(seen.exit_code),
            ERROR => seen.error.extend_from_slice(bytes),
            _ => {}
        }
    }

    fn end_frame(&mut self, seen: &mut Seen) {
        match (self.wire, self.opcode) {
            (Wire::WebSocket, CLOSE) => seen.closed = true,
            (Wire::WebSocket, PING) => seen.ping = Some(std::mem::take(&mut self.control)),
            (Wire::WebSocket, PONG) => {}
            (Wire::WebSocket, _) if !self.last => {}
            _ => self.code = None,
        }
    }
}

/// `count` bytes of input, all zeros, as one message.
pub(crate) fn input(wire: Wire, count: usize) -> Vec<u8> {
    match wire {
        Wire::Engine => vec![0; count],
        Wire::WebSocket => {
            let mut payload = vec![0; count + 1];
            payload[0] = STDIN;
            masked(BINARY, &payload)
        }
    }
}

/// The end of the input, as a message; on the engine's own stream it is none.
pub(crate) fn end_of_input() -> Vec<u8> {
    masked(BINARY, &[END])
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    masked(PONG, payload)
}

/// The answer to a close.
pub(crate) fn close() -> Vec<u8> {
    masked(CLOSE, &1000_u16.to_be_bytes())
}

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![FIN | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(MASKED | length),
        (_, Ok(length)) => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
