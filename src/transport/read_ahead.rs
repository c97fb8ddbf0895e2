//! Large reads for a WebSocket library that asks for small ones.
//!
//! The library's read size is fixed when a connection is made, and each idle connection keeps a
//! buffer of it. So it asks for little, and while a peer sends in bulk we read far ahead of it:
//! one call of the system where there were thirty. A connection that is idle holds nothing.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PeerStream;

/// The most that is read ahead.
const AHEAD: usize = 128 * 1024;

thread_local! {
    /// What all connections of a thread read into.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; AHEAD].into_boxed_slice());
}

/// A stream that reads ahead in bulk.
#[derive(Debug)]
pub(super) struct ReadAhead {
    stream: PeerStream,
    /// Read and not yet asked for; at most [`AHEAD`].
    ahead: Bytes,
    /// The last read filled all the room that it was given: there is probably more.
    bulk: bool,
}

impl ReadAhead {
    pub(super) fn new(stream: PeerStream) -> Self {
        Self { stream, ahead: Bytes::new(), bulk: false }
    }

    pub(super) fn get_ref(&self) -> &PeerStream {
        &self.stream
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, ahead, bulk } = self.get_mut();
        if !ahead.is_empty() {
            let count = ahead.len().min(buffer.remaining());
            buffer.put_slice(&ahead[..count]);
            ahead.advance(count);
            if ahead.is_empty() {
                *ahead = Bytes::new(); // gives the memory back
            }
            return Poll::Ready(Ok(()));
        }
        if !*bulk || buffer.remaining() >= AHEAD / 4 {
            let before = buffer.filled().len();
            ready!(Pin::new(stream).poll_read(cx, buffer))?;
            *bulk = buffer.remaining() == 0 && buffer.filled().len() > before;
            return Poll::Ready(Ok(()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut large = ReadBuf::new(scratch);
            let polled = Pin::new(stream).poll_read(cx, &mut large);
            if polled.is_pending() {
                *bulk = false;
            }
            ready!(polled)?;
            let count = large.filled().len().min(buffer.remaining());
            let (now, later) = large.filled().split_at(count);
            buffer.put_slice(now);
            *bulk = !later.is_empty();
            *ahead = Bytes::copy_from_slice(later);
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_come_in_order_and_nothing_is_kept_when_idle() {
        let (mut far, near) = duplex(1 << 20);
        let mut stream = ReadAhead::new(PeerStream::Bridge(Box::new(near)));
        let sent: Vec<u8> = (0..300_000u32).map(|i| i.to_le_bytes()[1]).collect();
        far.write_all(&sent).await.unwrap();
        let mut got = Vec::new();
        let mut reads_ahead = false;
        let mut piece = [0; 4096];
        while got.len() < sent.len() {
            let count = stream.read(&mut piece).await.unwrap();
            got.extend_from_slice(&piece[..count]);
            reads_ahead |= !stream.ahead.is_empty();
        }
        assert!(got == sent && reads_ahead && stream.ahead.is_empty());
        far.write_all(b"key").await.unwrap();
        assert_eq!(stream.read(&mut piece).await.unwrap(), 3);
        assert!(stream.ahead.is_empty());
        drop(far);
        assert_eq!(stream.read(&mut piece).await.unwrap(), 0);
    }
}
