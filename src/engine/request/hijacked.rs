//! A connection that was turned into a stream of bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Instant;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

use super::Pace;
use super::error::RequestError;
use super::link::Link;
use crate::engine::host::EngineHost;

/// The most that one read takes: a little more than a unix socket holds (208 KiB).
const READ_SIZE: usize = 256 * 1024;

thread_local! {
    /// What all connections of a thread read into, so that a silent one holds no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
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
    let (read, write) = tokio::io::split(parts.io.into_inner());
    let output = HijackedOutput {
        host: Arc::clone(host),
        read,
        early: parts.read_buf,
        pace: Pace::default(),
        rest: None,
    };
    Ok((HijackedInput { write }, output))
}

/// Bytes to the engine.
pub struct HijackedInput {
    write: WriteHalf<Link>,
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

/// Bytes from the engine, read as fast as they are asked for.
pub struct HijackedOutput {
    host: Arc<EngineHost>,
    read: ReadHalf<Link>,
    /// What came together with the answer.
    early: Bytes,
    pace: Pace,
    /// In bulk: when to read next.
    rest: Option<Instant>,
}

impl HijackedOutput {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        if !self.early.is_empty() {
            return Ok(Some(std::mem::take(&mut self.early)));
        }
        if let Some(until) = self.rest.take() {
            tokio::time::sleep_until(until.into()).await;
        }
        let bytes = self.read().await.map_err(|error| RequestError::Lost {
            host: (*self.host).clone(),
            source: Arc::new(error),
        })?;
        let now = Instant::now();
        self.rest = self.pace.after_read(now, bytes.len()).map(|rest| now + rest);
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    async fn read(&mut self) -> io::Result<Bytes> {
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.read).poll_read(cx, &mut buffer))?;
                Ok(Bytes::copy_from_slice(buffer.filled())).into()
            })
        })
        .await
    }
}
