//! What comes on a socket, read by whoever wants the bytes, on any thread.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};

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
        let reading = Mutex::new(Reading { extent, early, pace: Pace::default(), taken: 0 });
        Self { host, read, _write: write, idle, reading }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be something to read. Cancel-safe.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke, `IdleTimeout` if nothing came for too long.
    pub async fn readable(&self) -> Result<(), RequestError> {
        {
            let mut reading = self.reading();
            let taken = std::mem::take(&mut reading.taken);
            reading.pace.after_read(taken, usize::MAX);
        }
        poll_fn(|cx| self.reading().pace.poll_rest(cx)).await;
        match self.idle.watch(self.read.readable()).await {
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
        let Reading { extent, early, taken, .. } = &mut *reading;
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
}
