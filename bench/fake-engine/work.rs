//! What the words of an exec, or of a container, make it do.
//!
//! ```text
//! blast BYTES FRAME [wait] [rate=R]   prints BYTES bytes in frames of FRAME; after the first
//!                                     input with `wait`; at most R bytes a second with `rate`
//! sink, wc -c                         takes all input, then prints how many bytes it was
//! echo, cat                           prints its input; on a terminal until Ctrl-D
//! echo WORD...                        prints the words
//! idle, sleep N                       does nothing until its input ends
//! ```
//!
//! Everything else ends with exit code 127, as a command that is not there.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// The engine's own frame header: stream, three zeros, length.
const HEADER: usize = 8;
const STDOUT: u8 = 1;
/// About how much one write hands to the system.
const BLOCK: usize = 1024 * 1024;
/// The most that one read takes.
const READ: usize = 256 * 1024;
const TICK: Duration = Duration::from_millis(1);
/// Multiples of the golden ratio, without their whole parts, are spread evenly however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;
const CTRL_D: u8 = 4;
const NOT_FOUND: i64 = 127;
/// What a command ends with whose output nobody takes any more.
const BROKEN_PIPE: i64 = 141;

thread_local! {
    /// All commands read into this, so that an idle one holds no memory.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// An exec's words, understood.
#[derive(Clone)]
pub(crate) enum Command {
    Blast { bytes: u64, frame: usize, wait: bool, rate: Option<u64> },
    Sink,
    Echo,
    Print(String),
    Idle,
    Unknown,
}

/// How output is put on the connection.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    /// With the engine's own header before each piece.
    pub(crate) framed: bool,
    /// Each piece as a chunk of HTTP.
    pub(crate) chunked: bool,
}

/// A command that is to run.
pub(crate) struct Work {
    pub(crate) command: Command,
    pub(crate) tty: bool,
    pub(crate) wire: Wire,
    /// What a blast consists of.
    pub(crate) block: Option<Arc<[u8]>>,
}

/// The hijacked stream, seen from the command.
pub(crate) struct Output {
    socket: UnixStream,
    /// Input that came together with the request.
    early: Vec<u8>,
}

impl Command {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["blast", bytes, frame, rest @ ..] => {
                let number = |word: &str| {
                    word.parse::<u64>().ok().filter(|&n| n > 0).ok_or(format!("bad number {word}"))
                };
                let mut command = (false, None);
                for word in rest {
                    match word.strip_prefix("rate=") {
                        Some(rate) => command.1 = Some(number(rate)?),
                        None if *word == "wait" => command.0 = true,
                        None => return Err(format!("blast knows no {word}")),
                    }
                }
                let frame = u32::try_from(number(frame)?).map_err(|_| "frame too large")? as usize;
                Self::Blast { bytes: number(bytes)?, frame, wait: command.0, rate: command.1 }
            }
            ["sink"] | ["wc", "-c"] => Self::Sink,
            ["echo"] | ["cat"] => Self::Echo,
            ["echo", words @ ..] => Self::Print(words.join(" ")),
            ["idle"] | ["sleep", _] => Self::Idle,
            _ => Self::Unknown,
        })
    }

    /// The frames' size, of a command that needs a block of them.
    pub(crate) fn frame(&self) -> Option<usize> {
        match self {
            Self::Blast { frame, .. } => Some(*frame),
            _ => None,
        }
    }
}

/// As many whole frames of `frame` zeros as are about a block.
pub(crate) fn block(frame: usize, wire: Wire) -> Arc<[u8]> {
    let one = wire.piece(&vec![0; frame]);
    one.repeat((BLOCK / one.len()).max(1)).into()
}

/// Where in its first frame a command begins that has a rate, from 0 to 1: commands that know nothing
/// of each other do not print all at the same moment.
fn phase() -> f64 {
    static BEFORE: AtomicU32 = AtomicU32::new(0);
    (f64::from(BEFORE.fetch_add(1, Ordering::Relaxed)) * GOLDEN).fract()
}

impl Wire {
    fn piece(self, payload: &[u8]) -> Vec<u8> {
        let length = if self.framed { HEADER + payload.len() } else { payload.len() };
        let mut bytes = Vec::with_capacity(length + 16);
        if self.chunked {
            bytes.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        }
        if self.framed {
            bytes.extend_from_slice(&[STDOUT, 0, 0, 0]);
            bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        }
        bytes.extend_from_slice(payload);
        if self.chunked {
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }
}

impl Work {
    /// Whether keys come back from it: on a thread of its own, or they would wait behind all blasts,
    /// and that would be taken for the server's time.
    pub(crate) fn is_typed(&self) -> bool {
        self.tty && matches!(self.command, Command::Echo)
    }

    /// Runs to the end and says the exit code.
    pub(crate) async fn run(&self, output: &mut Output) -> i64 {
        let ended = match &self.command {
            Command::Blast { bytes, frame, wait, rate } => {
                self.blast(output, *bytes, *frame, *wait, *rate).await
            }
            Command::Sink => self.sink(output).await,
            Command::Echo => self.echo(output).await,
            Command::Print(text) => self.print(output, &format!("{text}\n")).await,
            Command::Idle => output.drain().await,
            Command::Unknown => return NOT_FOUND,
        };
        if ended.is_ok() { 0 } else { BROKEN_PIPE }
    }

    async fn blast(
        &self,
        output: &mut Output,
        bytes: u64,
        frame: usize,
        wait: bool,
        rate: Option<u64>,
    ) -> io::Result<()> {
        let Some(block) = self.block.as_deref() else { return Ok(()) };
        if wait && output.read(<[u8]>::len).await? == 0 {
            return Ok(());
        }
        let wire = self.wire.piece(&vec![0; frame]).len();
        let mut whole = bytes / frame as u64;
        let per_block = (block.len() / wire) as u64;
        let began = Instant::now();
        let early = phase();
        let mut due = u64::MAX;
        let mut sent = 0;
        while whole > 0 {
            if let Some(rate) = rate {
                let frames = began.elapsed().as_secs_f64() * rate as f64 / frame as f64;
                due = (frames + early) as u64;
                if due <= sent {
                    tokio::time::sleep(TICK).await;
                    continue;
                }
            }
            let now = per_block.min(whole).min(due - sent.min(due));
            output.socket.write_all(&block[..now as usize * wire]).await?;
            whole -= now;
            sent += now;
        }
        match (bytes % frame as u64) as usize {
            0 => Ok(()),
            rest => output.socket.write_all(&self.wire.piece(&vec![0; rest])).await,
        }
    }

    async fn sink(&self, output: &mut Output) -> io::Result<()> {
        let mut count = 0;
        loop {
            match output.read(<[u8]>::len).await? {
                0 => break,
                read => count += read,
            }
        }
        self.print(output, &format!("{count}\n")).await
    }

    async fn echo(&self, output: &mut Output) -> io::Result<()> {
        let mut over = false;
        while !over {
            let frame = output.read(|input| {
                let text = input.strip_suffix(&[CTRL_D]).filter(|_| self.tty).unwrap_or(input);
                (text.len() < input.len() || input.is_empty(), self.wire.piece(text))
            });
            let frame = frame.await?;
            over = frame.0;
            output.socket.write_all(&frame.1).await?;
        }
        Ok(())
    }

    async fn print(&self, output: &mut Output, text: &str) -> io::Result<()> {
        output.socket.write_all(&self.wire.piece(text.as_bytes())).await
    }
}

impl Output {
    pub(crate) fn new(socket: UnixStream, early: Vec<u8>) -> Self {
        Self { socket, early }
    }

    /// Reads what there is and shows it to `look`; nothing at the end of the input.
    async fn read<T>(&mut self, look: impl Fn(&[u8]) -> T) -> io::Result<T> {
        if !self.early.is_empty() {
            return Ok(look(&std::mem::take(&mut self.early)));
        }
        loop {
            self.socket.readable().await?;
            let read = SCRATCH.with_borrow_mut(|scratch| {
                self.socket.try_read(scratch).map(|count| look(&scratch[..count]))
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn drain(&mut self) -> io::Result<()> {
        while self.read(<[u8]>::len).await? > 0 {}
        Ok(())
    }

    /// Says that the last chunk was sent.
    pub(crate) async fn last_chunk(&mut self) -> io::Result<()> {
        self.socket.write_all(b"0\r\n\r\n").await
    }

    /// Ends the output. The input is read to its end, since closing a unix socket with unread
    /// bytes in it would be an error to the peer.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.socket.shutdown().await?;
        self.drain().await
    }
}
