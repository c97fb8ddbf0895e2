//! The two directions of a running command.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};

use super::connect::{ReadHalf, WriteHalf};
use super::demux::{Chunk, Demux, Framing};
use super::error::EngineError;
use super::hijack::Hijacked;
use super::host::EngineHost;
use crate::forward::forward_writes;
use crate::lane::Stint;
use crate::pace::Pace;

/// The most that one read takes: a little more than a unix socket holds (208 KiB).
const READ_SIZE: usize = 256 * 1024;

thread_local! {
    /// What all commands of a thread read into. A command that prints nothing then
    /// holds no buffer at all, however many there are.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// A running command's stdin and output. The halves are independent of each other.
#[derive(Debug)]
pub struct ExecStream {
    /// Its stdin.
    pub input: ExecInput,
    /// Its stdout and stderr.
    pub output: ExecOutput,
}

impl ExecStream {
    pub(super) fn new(
        host: Arc<EngineHost>,
        hijacked: Hijacked,
        framing: Framing,
        sizing: FirstSize,
    ) -> Result<Self, EngineError> {
        let lost = |source| EngineError::Lost { host: (*host).clone(), source };
        let (read, write) = hijacked.socket.into_split().map_err(lost)?;
        let mut output = ExecOutput {
            host,
            socket: read,
            demux: Demux::new(framing),
            ready: VecDeque::new(),
            failed: None,
            ended: false,
            pace: Pace::of_engine(),
            stint: Stint::default(),
            sizing,
        };
        output.take(&hijacked.early);
        Ok(Self { input: ExecInput { socket: write }, output })
    }
}

/// A command's stdin.
///
/// Bytes go straight to the engine's connection; nothing is buffered. Shutting it down
/// or dropping it ends stdin, and output goes on. On a TTY that does not reach the
/// command: send it the end-of-file character (0x04) instead, and keep this open,
/// since dockerd cuts a TTY's output when its input ends.
pub struct ExecInput {
    socket: WriteHalf,
}

impl fmt::Debug for ExecInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecInput")
    }
}

forward_writes!(ExecInput, socket in Self { socket });

/// Sets a terminal's first size while the command starts. Whoever reads the output carries it on;
/// who wants another size takes it over, since nobody need be reading then.
pub(super) type FirstSize = Arc<Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>>;

/// A command's stdout and stderr, in the order in which the engine sent them.
pub struct ExecOutput {
    host: Arc<EngineHost>,
    socket: ReadHalf,
    demux: Demux,
    /// Output that is split and not yet handed out: one read's worth, unless it was read ahead.
    ready: VecDeque<Chunk>,
    /// Comes after what is ready.
    failed: Option<EngineError>,
    ended: bool,
    pace: Pace,
    stint: Stint,
    sizing: FirstSize,
}

impl fmt::Debug for ExecOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecOutput")
            .field("ready", &self.ready.len())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl ExecOutput {
    /// The next piece of output; `None` when there will be no more. Cancel-safe.
    ///
    /// The end of the output is not the end of the command, nor the other way round:
    /// it comes when everybody who holds the output has closed it, and also when the
    /// engine goes. Only [`Exec::state`](super::Exec::state) says how it ended.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke, or ended inside a frame; `Protocol` if what
    /// came is no frame. After an error there is no more output.
    pub async fn next(&mut self) -> Result<Option<Chunk>, EngineError> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.ended {
                return Ok(None);
            }
            if let Err(error) = self.wait().await {
                self.fail(error);
                continue;
            }
            self.read();
        }
    }

    /// A piece of output that was read already; `None` says nothing about the end.
    pub fn try_next(&mut self) -> Option<Chunk> {
        self.ready.pop_front()
    }

    /// Reads on at once, for when nobody takes output at the moment, until it ends or `limit` bytes
    /// are ready or more. They are handed out as before. Cancel-safe.
    pub async fn read_ahead(&mut self, limit: usize) {
        while !self.ended && self.ready.iter().map(Chunk::len).sum::<usize>() < limit {
            match self.readable().await {
                Ok(()) => self.read(),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Waits until it is time to read and there is something.
    async fn wait(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.pace.poll_rest(cx)).await;
        self.stint.begin().await;
        self.readable().await
    }

    /// Waits until there is something to read.
    async fn readable(&mut self) -> io::Result<()> {
        let Self { socket, sizing, .. } = self;
        socket.follow();
        let mut readable = pin!(socket.readable());
        poll_fn(|cx| {
            let mut sizing = sizing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(future) = sizing.as_mut()
                && future.as_mut().poll(cx).is_ready()
            {
                *sizing = None;
            }
            drop(sizing);
            readable.as_mut().poll(cx)
        })
        .await
    }

    /// Reads and splits what is there.
    fn read(&mut self) {
        SCRATCH.with_borrow_mut(|scratch| match self.socket.try_read(scratch) {
            Ok(0) => self.end(),
            Ok(count) => {
                self.take(&scratch[..count]);
                self.pace.after_read(count, scratch.len());
                self.stint.after_read(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.fail(error),
        });
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Err(unknown) = self.demux.feed(bytes, &mut self.ready) {
            self.ended = true;
            self.failed = Some(EngineError::Protocol {
                host: (*self.host).clone(),
                what: unknown.to_string(),
            });
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if !self.demux.at_boundary() {
            let text = "the output ended inside a frame";
            self.fail(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
    }

    fn fail(&mut self, source: io::Error) {
        self.ended = true;
        self.failed = Some(EngineError::Lost { host: (*self.host).clone(), source });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use bytes::Bytes;
    use tokio::net::UnixStream;
    use tokio::{join, task::yield_now};

    use super::*;
    use crate::engine::connect::Socket;
    use crate::engine::local::Stream;

    #[tokio::test]
    async fn in_the_lane_output_tells_the_lane_of_its_news() {
        let (near, far) = UnixStream::pair().unwrap();
        let hijacked = Hijacked {
            socket: Socket::Local(Stream::of(near)),
            early: Bytes::new(),
            says_framed: true,
        };
        let host = Arc::new(EngineHost::Unix("/there".into()));
        let opened = ExecStream::new(host, hijacked, Framing::Raw, FirstSize::default());
        let ExecStream { mut output, .. } = opened.unwrap();
        let far = far.into_std().unwrap();
        crate::lane::tests::alone(async move {
            let printed = async {
                yield_now().await;
                std::io::Write::write_all(&mut &far, b"printed").unwrap();
            };
            let (chunk, ()) = join!(output.next(), printed);
            assert_eq!(chunk.unwrap().unwrap().as_slice(), b"printed");
        })
        .await;
    }
}
