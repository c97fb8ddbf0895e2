//! Streams whose bytes JavaScript moves: TLS sockets of Node, sockets without a descriptor.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use napi_derive::napi;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    channel::{Channel, Listener},
    pipes::{ByteReader, ByteWriter},
};
use crate::pipe::Pipe;

/// Bytes that may wait in each direction between JavaScript and Rust.
const BRIDGE_LIMIT: usize = 256 * 1024;

/// Signal: there is something to write to the socket, or the end.
const OUTPUT: u32 = 1;
/// Signal: there is room for more from the socket.
const INPUT: u32 = 2;
/// Signal: the Rust side is gone.
const GONE: u32 = 3;

/// The JavaScript side of a bridge. It does not keep the process alive: its socket does.
#[napi]
pub struct NativeBridge {
    ends: Arc<Ends>,
    channel: Arc<Channel<()>>,
    stream: Mutex<Option<Bridge>>,
}

/// What both sides share.
struct Ends {
    /// From the socket.
    input: Arc<Pipe>,
    /// To the socket.
    output: Arc<Pipe>,
    /// The socket broke: its end is not an orderly one.
    broken: AtomicBool,
}

#[napi]
impl NativeBridge {
    /// Makes a bridge; `listener` gets signal 1 when there is something to write to the socket,
    /// 2 when there is room for more from it, and 3 when nobody uses the bridge any more.
    #[napi(constructor)]
    pub fn new(
        #[napi(ts_arg_type = "(signal: number) => void")] listener: Listener<'_, ()>,
    ) -> napi::Result<Self> {
        let ends = Arc::new(Ends {
            input: Pipe::new(BRIDGE_LIMIT),
            output: Pipe::new(BRIDGE_LIMIT),
            broken: AtomicBool::new(false),
        });
        let channel = Channel::weak(listener)?;
        let stream =
            Bridge { ends: Arc::clone(&ends), rest: Bytes::new(), gone: channel.signal(GONE) };
        Ok(Self { ends, channel, stream: Mutex::new(Some(stream)) })
    }

    /// Takes bytes from the socket.
    #[napi]
    pub fn input(&self) -> ByteWriter {
        ByteWriter::new(Arc::clone(&self.ends.input), self.channel.signal(INPUT))
    }

    /// Gives bytes for the socket.
    #[napi]
    pub fn output(&self) -> ByteReader {
        ByteReader::new(Arc::clone(&self.ends.output) as _, self.channel.signal(OUTPUT))
    }

    /// Says that the socket is gone; `broken` if that was not in order, which is an error for
    /// whoever reads from the bridge.
    #[napi]
    pub fn detach(&self, broken: bool) {
        self.ends.broken.store(broken, Ordering::Release);
        self.ends.input.end();
        self.ends.output.close();
        self.channel.close();
    }
}

impl NativeBridge {
    /// The Rust side; only once.
    pub(super) fn take(&self) -> Option<Bridge> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The Rust side of a bridge: a stream like a socket.
pub(super) struct Bridge {
    ends: Arc<Ends>,
    /// What was taken from the input and not read yet.
    rest: Bytes,
    /// Woken when this is dropped.
    gone: Waker,
}

impl AsyncRead for Bridge {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.ends.input.poll_next(cx)) {
                Some(chunk) => self.rest = chunk,
                None if self.ends.broken.load(Ordering::Acquire) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bridge {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.ends.output.poll_room(cx));
        if self.ends.output.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(self.ends.output.push_slice(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends.output.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.ends.input.close();
        self.ends.output.end();
        self.gone.wake_by_ref();
    }
}
