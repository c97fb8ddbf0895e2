//! What comes on a socket, read by whoever wants the bytes, on any thread.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use tokio_util::sync::CancellationToken;

use super::chunks::{Chunks, Part};
use super::error::RequestError;
use super::hijacked::SCRATCH;
use super::idle::{Idle, Silent};
use crate::engine::connect::{ReadHalf, WriteHalf};
use crate::engine::host::EngineHost;
use crate::pace::Pace;

/// What comes on a socket: a hijacked connection's bytes, or the body of an answer that has a
/// connection of its own. A reader asks until there is nothing, and then waits: in bulk a little
/// longer than it has to.
pub struct SocketOutput {
    host: Arc<EngineHost>,
    read: ReadHalf,
    /// Of a body's connection: ended, it would tell the engine that nobody waits for the answer.
    _write: Option<WriteHalf>,
    idle: Idle,
    reading: Mutex<Reading>,
    /// A reader has found the end, or that it broke: the socket may have nothing more to tell.
    ended: CancellationToken,
}

/// How far a reader has come, and when it is to go on.
struct Reading {
    extent: Extent,
    /// What came together with the head.
    early: Bytes,
    pace: Pace,
    /// Bytes that were read since the last wait.
    taken: usize,
}

/// Where the output ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// With the connection.
    Connection,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunks(Chunks),
    /// It has ended.
    Complete,
}

impl SocketOutput {
    pub(super) fn hijacked(host: Arc<EngineHost>, read: ReadHalf, early: Bytes) -> Self {
        Self::new(host, (read, None), early, Extent::Connection, Idle::new(None))
    }

    pub(super) fn new(
        host: Arc<EngineHost>,
        (read, write): (ReadHalf, Option<WriteHalf>),
        early: Bytes,
        extent: Extent,
        idle: Idle,
    ) -> Self {
        let ended = CancellationToken::new();
        if extent == Extent::Complete {
            ended.cancel();
        }
        let reading = Mutex::new(Reading { extent, early, pace: Pace::of_engine(), taken: 0 });
        Self { host, read, _write: write, idle, reading, ended }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be something to read, or until somebody has read all. Cancel-safe.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke, `IdleTimeout` if nothing came for too long.
    pub async fn readable(&self) -> Result<(), RequestError> {
        {
            let mut reading = self.reading();
            let taken = std::mem::take(&mut reading.taken);
            reading.pace.after_read(taken, usize::MAX);
            if !reading.early.is_empty() {
                return Ok(());
            }
        }
        poll_fn(|cx| self.reading().pace.poll_rest(cx)).await;
        let news = async {
            tokio::select! {
                () = self.ended.cancelled() => Ok(()),
                ready = self.read.readable() => ready,
            }
        };
        match self.idle.watch(news).await {
            Ok(outcome) => outcome.map_err(|error| RequestError::lost(&self.host, error)),
            Err(Silent(after)) => {
                Err(RequestError::IdleTimeout { host: (*self.host).clone(), after })
            }
        }
    }

    /// Reads what is there; `None` if nothing is, 0 if nothing will be any more.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke, `Protocol` if a body is none.
    pub fn try_read(&self, buffer: &mut [u8]) -> Result<Option<usize>, RequestError> {
        let mut reading = self.reading();
        let read = self.read_some(&mut reading, buffer);
        if read.is_err() || reading.extent == Extent::Complete {
            self.ended.cancel();
        }
        read
    }

    fn read_some(
        &self,
        reading: &mut Reading,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, RequestError> {
        let Reading { extent, early, taken, .. } = reading;
        loop {
            let wanted = extent.wanted(buffer);
            if wanted.is_empty() {
                return Ok(Some(0));
            }
            let count = if early.is_empty() {
                match self.read.try_read(wanted) {
                    Ok(0) => return self.ended(extent),
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(RequestError::lost(&self.host, error)),
                }
            } else {
                let count = early.len().min(wanted.len());
                early.copy_to_slice(&mut wanted[..count]);
                count
            };
            *taken += count;
            let kept = extent
                .keep(&mut wanted[..count])
                .map_err(|why| RequestError::unreadable(&self.host, why))?;
            if kept > 0 {
                return Ok(Some(kept));
            }
        }
    }

    /// Takes the next piece; `None` after the last. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`SocketOutput::readable`] and [`SocketOutput::try_read`].
    pub async fn next(&self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let count = self.try_read(scratch)?;
                Ok(count.map(|count| Bytes::copy_from_slice(&scratch[..count])))
            })?;
            match read {
                Some(bytes) => return Ok((!bytes.is_empty()).then_some(bytes)),
                None => self.readable().await?,
            }
        }
    }

    fn ended(&self, extent: &mut Extent) -> Result<Option<usize>, RequestError> {
        if *extent != Extent::Connection {
            return Err(RequestError::cut_short(&self.host));
        }
        Ok(Some(0))
    }
}

impl Extent {
    /// The room for what may be read: nothing beyond the end.
    fn wanted<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        let most = match self {
            Self::Connection | Self::Chunks(_) => usize::MAX,
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Self::Complete => 0,
        };
        let count = buffer.len().min(most);
        &mut buffer[..count]
    }

    /// Leaves of what was read what belongs to the output, at its beginning; answers how much that is.
    fn keep(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        match self {
            Self::Connection | Self::Complete => Ok(bytes.len()),
            Self::Length(left) => {
                *left -= bytes.len() as u64;
                if *left == 0 {
                    *self = Self::Complete;
                }
                Ok(bytes.len())
            }
            Self::Chunks(chunks) => {
                let (kept, ended) = without_sizes(chunks, bytes)?;
                if ended {
                    *self = Self::Complete;
                }
                Ok(kept)
            }
        }
    }
}

/// Moves the data of all chunks to the beginning of `bytes`; answers how much it is, and whether the
/// last chunk was among them.
fn without_sizes(chunks: &mut Chunks, bytes: &mut [u8]) -> Result<(usize, bool), &'static str> {
    let (mut at, mut kept) = (0, 0);
    while at < bytes.len() {
        let (part, rest) = chunks.take(&bytes[at..])?;
        let (data, ended) = match part {
            Part::Data(data) => (data.len(), false),
            Part::Between => (0, false),
            Part::End => (0, true),
        };
        let next = bytes.len() - rest.len();
        bytes.copy_within(at..at + data, kept);
        kept += data;
        at = next;
        if ended {
            return Ok((kept, true));
        }
    }
    Ok((kept, false))
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What is kept of `wire`, read `step` bytes at a time, and whether that was all.
    fn kept(wire: &[u8], step: usize) -> Result<(Vec<u8>, bool), &'static str> {
        let mut extent = Extent::Chunks(Chunks::default());
        let mut all = Vec::new();
        for piece in wire.chunks(step) {
            let mut piece = piece.to_vec();
            let count = extent.keep(&mut piece)?;
            all.extend_from_slice(&piece[..count]);
        }
        Ok((all, extent == Extent::Complete))
    }

    #[test]
    fn chunks_lose_their_sizes_and_nothing_else() {
        let wire = b"5\r\nhello\r\n1;x=y\r\n,\r\n6\r\n world\r\n0\r\nSum: 1\r\n\r\n";
        for step in 1..=wire.len() {
            assert_eq!(kept(wire, step), Ok((b"hello, world".to_vec(), true)), "{step} at a time");
        }
        for end in 1..wire.len() {
            let (bytes, complete) = kept(&wire[..end], wire.len()).unwrap();
            assert!(b"hello, world".starts_with(&bytes) && !complete, "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for step in [1, 3, 100] {
            assert_eq!(kept(b"5\r\nhello, world", step), Err("a chunk is not one"));
        }
    }

    #[test]
    fn nothing_is_read_beyond_a_length() {
        let mut extent = Extent::Length(5);
        let mut room = [0; 16];
        assert_eq!(extent.wanted(&mut room).len(), 5);
        assert_eq!(extent.keep(&mut room[..3]), Ok(3));
        assert_eq!(extent.wanted(&mut room).len(), 2);
        assert_eq!(extent.keep(&mut room[..2]), Ok(2));
        assert_eq!(extent.wanted(&mut room).len(), 0);
    }

    #[cfg(unix)]
    fn output(early: &'static [u8], extent: Extent) -> (SocketOutput, tokio::net::UnixStream) {
        use crate::engine::{connect::Socket, local::Stream};

        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        let host = Arc::new(EngineHost::Unix("/there".into()));
        let (read, write) = Socket::Local(Stream::of(near)).into_split().unwrap();
        let (ends, early) = ((read, Some(write)), Bytes::from_static(early));
        (SocketOutput::new(host, ends, early, extent, Idle::new(None)), far)
    }

    #[cfg(unix)]
    async fn within_patience<T>(work: impl Future<Output = T>) -> T {
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, work).await.expect("it waits for the connection")
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn an_end_and_early_bytes_need_no_news_of_the_connection() {
        let (some, mut far) = output(b"2\r\nab", Extent::Chunks(Chunks::default()));
        let take = async || {
            some.readable().await.unwrap();
            let mut room = [0; 64];
            let count = some.try_read(&mut room).unwrap().unwrap();
            room[..count].to_vec()
        };
        within_patience(async {
            assert_eq!(take().await, b"ab");
            far.write_all(b"\r\n1\r\nc\r\n0\r\n\r\n").await.unwrap();
            assert_eq!(take().await, b"c");
            assert_eq!(take().await, b"");
            let (nothing, _far) = output(b"", Extent::Complete);
            nothing.readable().await.unwrap();
        })
        .await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn an_end_that_somebody_else_has_read_is_waited_for_by_nobody() {
        for (wire, failed) in [(&b"0\r\n\r\n"[..], false), (b"no chunk", true)] {
            let (output, mut far) = output(b"", Extent::Chunks(Chunks::default()));
            far.write_all(wire).await.unwrap();
            let read = loop {
                match output.try_read(&mut [0; 64]) {
                    Ok(None) => tokio::task::yield_now().await,
                    read => break read,
                }
            };
            assert_eq!(read.is_err(), failed);
            within_patience(output.readable()).await.unwrap();
        }
    }
}
