//! Connections within this machine on Windows: named pipes.
//!
//! Engines listen on pipes that carry messages, and read them as streams of bytes. Only an empty
//! message is more than its bytes: it ends its direction, as a half-close does elsewhere.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, PipeMode};
use tokio::sync::Notify;

use crate::engine::connect::Demand;
use crate::engine::host::{EngineHost, UNIX_ELSEWHERE};
use crate::forward::{forward_reads, forward_writes};

/// Windows' number for "all instances of the pipe are taken": others connect at this moment,
/// and the engine is about to offer the next instance.
const ERROR_PIPE_BUSY: i32 = 231;
/// Time between two attempts to connect to a pipe that is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A connection through a named pipe.
#[derive(Debug)]
pub(in crate::engine) struct Stream {
    read: ReadHalf,
    write: WriteHalf,
}

/// The half of a [`Stream`] that is read.
pub(in crate::engine) struct ReadHalf {
    pipe: Arc<Pipe>,
    waiting: Option<Waiting>,
}

/// The half of a [`Stream`] that is written; dropping it ends our side of the stream.
pub(in crate::engine) struct WriteHalf {
    pipe: Arc<Pipe>,
    waiting: Option<Waiting>,
    ended: bool,
}

/// Until the pipe may be ready for what was tried in vain.
type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

struct Pipe {
    client: NamedPipeClient,
    /// Whether it carries messages, so that a direction can be ended apart.
    has_messages: bool,
    /// The engine has ended its direction: what is read after that says nothing.
    no_more: AtomicBool,
    /// Our direction was dropped while the pipe was busy with what was written before. Who reads
    /// ends it.
    abandoned: AtomicBool,
    abandonment: Notify,
}

/// Connects to `host`, which is of a kind that this module serves. Waits while it is busy.
pub(in crate::engine) async fn connect(
    host: &EngineHost,
    _: Option<&Demand>,
) -> io::Result<Stream> {
    let EngineHost::Pipe(name) = host else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, UNIX_ELSEWHERE));
    };
    let path = format!(r"\\.\pipe\{name}");
    loop {
        match ClientOptions::new().open(&path) {
            Ok(client) => return Stream::new(client),
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Stream {
    fn new(client: NamedPipeClient) -> io::Result<Self> {
        let has_messages = client.info()?.mode == PipeMode::Message;
        let pipe = Arc::new(Pipe {
            client,
            has_messages,
            no_more: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            abandonment: Notify::new(),
        });
        let read = ReadHalf { pipe: Arc::clone(&pipe), waiting: None };
        Ok(Self { read, write: WriteHalf { pipe, waiting: None, ended: false } })
    }

    /// Two halves that can be used side by side.
    #[allow(clippy::unnecessary_wraps)] // where sockets have halves, it may fail
    pub(in crate::engine) fn into_split(self) -> io::Result<(ReadHalf, WriteHalf)> {
        Ok((self.read, self.write))
    }

    /// Whether there are few connections of this kind, so that none should be kept.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        false
    }
}

impl Pipe {
    async fn readable(&self) -> io::Result<()> {
        if self.no_more.load(Ordering::Relaxed) {
            return Ok(());
        }
        tokio::select! {
            ready = self.client.readable() => ready,
            never = self.end_what_is_abandoned() => match never {},
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.no_more.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let count = self.client.try_read(buffer)?;
        if count == 0 {
            self.no_more.store(true, Ordering::Relaxed);
        }
        Ok(count)
    }

    /// Ends our direction; `WouldBlock` if that has to wait.
    fn try_end(&self) -> io::Result<()> {
        if !self.has_messages {
            let text = "this named pipe carries no messages: input cannot end before the output";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        self.client.try_write(&[]).map(drop)
    }

    /// Ends our direction once it was dropped; goes on for ever, and may be dropped at any time.
    async fn end_what_is_abandoned(&self) -> Infallible {
        loop {
            if !self.abandoned.load(Ordering::Acquire) {
                self.abandonment.notified().await;
                continue;
            }
            let writable = self.client.writable().await;
            let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
            if writable.is_err() || !self.try_end().is_err_and(would_block) {
                self.abandoned.store(false, Ordering::Release);
            }
        }
    }
}

impl ReadHalf {
    /// Nothing: Windows ties a pipe to the runtime that it came to first.
    pub(in crate::engine) fn follow(&mut self) {}

    /// Waits until there may be something to read. Cancel-safe.
    pub(in crate::engine) async fn readable(&self) -> io::Result<()> {
        self.pipe.readable().await
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(in crate::engine) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.try_read(buffer)
    }
}

/// Makes `attempt` as often as it takes, and waits by `wait` in between.
fn poll_attempt<T>(
    waiting: &mut Option<Waiting>,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut() -> io::Result<T>,
    wait: impl Fn() -> Waiting,
) -> Poll<io::Result<T>> {
    loop {
        if let Some(future) = waiting {
            let ready = ready!(future.as_mut().poll(cx));
            *waiting = None;
            ready?;
        }
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => *waiting = Some(wait()),
            done => return Poll::Ready(done),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { pipe, waiting } = self.get_mut();
        let wait = || -> Waiting {
            let pipe = Arc::clone(pipe);
            Box::pin(async move { pipe.readable().await })
        };
        let into = buffer.initialize_unfilled();
        let count = ready!(poll_attempt(waiting, cx, || pipe.try_read(into), wait))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl WriteHalf {
    fn poll_writing<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl Fn(&Pipe) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let Self { pipe, waiting, .. } = self;
        let wait = || -> Waiting {
            let pipe = Arc::clone(pipe);
            Box::pin(async move { pipe.client.writable().await })
        };
        poll_attempt(waiting, cx, || attempt(pipe), wait)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // An empty message would be the end.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.get_mut().poll_writing(cx, |pipe| pipe.client.try_write(bytes))
    }

    /// What was written is with the system; nothing tells when the engine has read it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        let done = ready!(this.poll_writing(cx, Pipe::try_end));
        this.ended = true;
        Poll::Ready(done)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        if !self.ended && self.pipe.try_end().is_err_and(would_block) {
            self.pipe.abandoned.store(true, Ordering::Release);
            self.pipe.abandonment.notify_one();
        }
    }
}

impl std::fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadHalf").field(&self.pipe.client).finish()
    }
}

impl std::fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WriteHalf").field(&self.pipe.client).finish()
    }
}

forward_reads!(Stream, read in Self { read, .. });
forward_writes!(Stream, write in Self { write, .. });

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

    use super::*;

    /// A pipe as engines make them, by a name that no other test has.
    fn offer(name: &str, mode: PipeMode) -> (NamedPipeServer, EngineHost) {
        let name = format!("dew-{}-{name}", std::process::id());
        let options = ServerOptions::new().pipe_mode(mode).clone();
        (options.create(format!(r"\\.\pipe\{name}")).unwrap(), EngineHost::Pipe(name))
    }

    async fn joined(name: &str, mode: PipeMode) -> (NamedPipeServer, Stream) {
        let (server, host) = offer(name, mode);
        let (accepted, stream) = tokio::join!(server.connect(), connect(&host, None));
        accepted.unwrap();
        (server, stream.unwrap())
    }

    /// All that comes until the direction is ended, which an empty message does.
    async fn read_all(from: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
        let (mut all, mut piece) = (Vec::new(), [0; 1024]);
        loop {
            match from.read(&mut piece).await.unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    }

    #[tokio::test]
    async fn what_comes_after_the_end_of_input_arrives() {
        let (mut server, mut stream) = joined("half", PipeMode::Message).await;
        let engine = async {
            let input = read_all(&mut server).await;
            server.write_all(&[&input[..], b" is answered"].concat()).await.unwrap();
            drop(server);
        };
        let client = async {
            stream.write_all(b"a question").await.unwrap();
            assert_eq!(stream.write(b"").await.unwrap(), 0, "nothing is no end");
            stream.write_all(b" in two").await.unwrap();
            stream.shutdown().await.unwrap();
            assert!(stream.write_all(b"more").await.is_err());
            read_all(&mut stream).await
        };
        let ((), answer) = tokio::join!(engine, client);
        assert_eq!(answer, b"a question in two is answered");
        assert_eq!(read_all(&mut stream).await, b"", "the end comes again");
    }

    #[tokio::test]
    async fn an_empty_message_ends_what_is_read() {
        let (server, mut stream) = joined("ended", PipeMode::Message).await;
        server.writable().await.unwrap();
        server.try_write(b"all").unwrap();
        server.writable().await.unwrap();
        while server.try_write(b"").is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
            server.writable().await.unwrap();
        }
        assert_eq!(read_all(&mut stream).await, b"all");
        let (read, _write) = stream.into_split();
        read.readable().await.unwrap();
        assert_eq!(read.try_read(&mut [0; 8]).unwrap(), 0);
    }

    #[tokio::test]
    async fn to_drop_the_written_half_ends_it_however_much_is_under_way() {
        let (mut server, stream) = joined("dropped", PipeMode::Message).await;
        let (read, mut write) = stream.into_split();
        let bulk = vec![7; 1024 * 1024];
        let client = async {
            write.write_all(&bulk).await.unwrap();
            drop(write);
            read.readable().await.unwrap();
            let mut answer = [0; 8];
            let count = read.try_read(&mut answer).unwrap();
            answer[..count].to_vec()
        };
        let engine = async {
            let input = read_all(&mut server).await;
            server.write_all(b"late").await.unwrap();
            (input, server)
        };
        let (answer, (input, _server)) = tokio::join!(client, engine);
        assert_eq!((answer, input.len()), (b"late".to_vec(), bulk.len()));
    }

    #[tokio::test]
    async fn a_busy_pipe_is_waited_for() {
        let (first, host) = offer("busy", PipeMode::Message);
        let EngineHost::Pipe(name) = &host else { unreachable!() };
        let path = format!(r"\\.\pipe\{name}");
        let taken = connect(&host, None).await.unwrap();
        let mut second = Box::pin(connect(&host, None));
        let early = tokio::time::timeout(BUSY_PAUSE * 3, &mut second).await;
        assert!(early.is_err(), "there was no instance to connect to");
        let _next = ServerOptions::new().pipe_mode(PipeMode::Message).create(path).unwrap();
        second.await.unwrap();
        drop((first, taken));
    }

    #[tokio::test]
    async fn a_pipe_that_is_not_there_is_an_error_at_once() {
        let host = EngineHost::Pipe("dew-that-nobody-offers".to_owned());
        let error = connect(&host, None).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn where_input_cannot_end_apart_it_says_so() {
        let (_server, mut stream) = joined("bytes", PipeMode::Byte).await;
        let error = stream.shutdown().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
