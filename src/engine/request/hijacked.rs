//! A connection that was turned into a stream of bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::error::RequestError;
use super::link::Link;
use super::socket_output::SocketOutput;
use crate::engine::exec::DETACH_TIMEOUT;
use crate::engine::host::EngineHost;

/// The most that one read takes: a little more than a unix socket holds (208 KiB).
const READ_SIZE: usize = 256 * 1024;

thread_local! {
    /// What all connections of a thread read into, so that a silent one holds no buffer.
    pub(super) static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// Takes an upgraded connection apart.
pub(super) fn split(
    host: &Arc<EngineHost>,
    upgraded: Upgraded,
) -> Result<(HijackedInput, HijackedOutput), RequestError> {
    let parts = upgraded.downcast::<TokioIo<Link>>().map_err(|_| RequestError::Protocol {
        host: (**host).clone(),
        source: Arc::new(io::Error::other("the connection changed its type")),
    })?;
    let (host, early) = (Arc::clone(host), parts.read_buf);
    Ok(match parts.io.into_inner() {
        Link::Plain(paced) => {
            let (read, write) =
                paced.socket.into_split().map_err(|error| RequestError::lost(&host, error))?;
            let output = SocketOutput::hijacked(host, read, early);
            (HijackedInput { write: Box::new(write) }, HijackedOutput::Socket(Arc::new(output)))
        }
        link @ Link::Tls(_) => {
            let (read, write) = tokio::io::split(link);
            let output = StreamOutput { host, read, early };
            (HijackedInput { write: Box::new(write) }, HijackedOutput::Stream(output))
        }
    })
}

/// Bytes to the engine.
pub struct HijackedInput {
    write: Box<dyn AsyncWrite + Send + Unpin>,
}

impl HijackedInput {
    /// Sends all of `bytes`.
    ///
    /// # Errors
    ///
    /// What the connection said.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    /// Ends this direction; the other one goes on.
    ///
    /// # Errors
    ///
    /// What the connection said.
    pub async fn end(&mut self) -> io::Result<()> {
        self.write.shutdown().await
    }
}

/// Bytes from the engine.
pub enum HijackedOutput {
    /// From a socket: read by whoever wants the bytes, on any thread.
    Socket(Arc<SocketOutput>),
    /// From within TLS: read on the runtime.
    Stream(StreamOutput),
}

impl HijackedOutput {
    /// Leaves a terminal as [`Exec::detach`](crate::engine::Exec::detach) does.
    pub async fn detach(mut self, mut input: HijackedInput) {
        let rest = async {
            let _ = input.end().await;
            while let Ok(Some(_)) = self.next().await {}
        };
        let _ = tokio::time::timeout(DETACH_TIMEOUT, rest).await;
    }

    async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        match self {
            Self::Socket(output) => output.next().await,
            Self::Stream(output) => output.next().await,
        }
    }
}

/// What comes within TLS.
pub struct StreamOutput {
    host: Arc<EngineHost>,
    read: tokio::io::ReadHalf<Link>,
    early: Bytes,
}

impl StreamOutput {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        if !self.early.is_empty() {
            return Ok(Some(std::mem::take(&mut self.early)));
        }
        let read = &mut self.read;
        let reading = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *read).poll_read(cx, &mut buffer))?;
                Poll::Ready(io::Result::Ok(Bytes::copy_from_slice(buffer.filled())))
            })
        });
        let bytes = reading.await.map_err(|error| RequestError::lost(&self.host, error))?;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}
