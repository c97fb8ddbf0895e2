//! What is still to be written to a peer: headers and small payloads in one buffer, large payloads
//! as they are, all of it handed to the system together.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::{
    Role,
    frames::{Frame, MAX_HEADER},
};

/// Smaller payloads are copied behind their header: cheaper than a slice of their own.
const COPIED: usize = 2048;

/// Slices that one write hands to the system.
const SLICES: usize = 32;

/// Frames on their way. Holds no memory when everything is written.
#[derive(Debug)]
pub(super) struct Outbound {
    role: Role,
    queue: VecDeque<Bytes>,
    /// Comes behind the queue.
    tail: BytesMut,
    queued: usize,
}

impl Outbound {
    /// For the end of a connection that has `role`.
    pub(super) fn new(role: Role) -> Self {
        Self { role, queue: VecDeque::new(), tail: BytesMut::new(), queued: 0 }
    }

    /// Bytes that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.queued
    }

    /// Queues a frame. `vectored`: the stream takes several slices at once.
    ///
    /// # Errors
    ///
    /// Fails when the system has no random bytes for a mask.
    pub(super) fn push(&mut self, frame: Frame, vectored: bool) -> io::Result<()> {
        let before = self.tail.len();
        self.tail.reserve(MAX_HEADER);
        let payload = frame.into_parts(self.role, &mut self.tail)?;
        self.queued += self.tail.len() - before + payload.len();
        if payload.len() < COPIED || !vectored {
            self.tail.extend_from_slice(&payload);
        } else {
            self.queue.push_back(self.tail.split().freeze());
            self.queue.push_back(payload);
        }
        Ok(())
    }

    /// Writes until no more than `rest` bytes wait.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
        rest: usize,
    ) -> Poll<io::Result<()>> {
        while self.queued > rest {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.queue) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            if count < SLICES && !self.tail.is_empty() {
                slices[count] = IoSlice::new(&self.tail);
                count += 1;
            }
            let written = ready!(stream.as_mut().poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(written);
        }
        Poll::Ready(Ok(()))
    }

    fn consume(&mut self, mut written: usize) {
        self.queued -= written;
        while let Some(front) = self.queue.front_mut() {
            let count = front.len().min(written);
            front.advance(count);
            written -= count;
            if !front.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
        self.tail.advance(written);
        if self.queued == 0 {
            self.tail = BytesMut::new();
            self.queue = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes at most `room` bytes of each write.
    struct Narrow {
        room: usize,
        vectored: bool,
        got: Vec<u8>,
        writes: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.room);
            self.got.extend_from_slice(&bytes[..count]);
            self.writes += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all = slices.iter().flat_map(|slice| slice.iter().copied());
            let taken: Vec<u8> = all.take(self.room).collect();
            self.poll_write(cx, &taken)
        }

        fn is_write_vectored(&self) -> bool {
            self.vectored
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn frames_arrive_in_order_however_little_is_taken_at_once() {
        let mut cx = Context::from_waker(Waker::noop());
        for (room, vectored) in [(1, true), (7, true), (3000, true), (1 << 20, true), (999, false)]
        {
            let mut outbound = Outbound::new(Role::Server);
            let mut expected = Vec::new();
            for length in [0usize, 1, 125, 126, 2047, 2048, 65_535, 65_536, 3, 70_000] {
                let payload = Bytes::from(vec![length.to_le_bytes()[0]; length]);
                outbound.push(Frame::Binary(payload.clone()), vectored).unwrap();
                expected.push(0x82);
                match length {
                    0..=125 => expected.extend([length.to_le_bytes()[0]]),
                    126..=65_535 => {
                        expected.push(126);
                        expected.extend(u16::try_from(length).unwrap().to_be_bytes());
                    }
                    _ => {
                        expected.push(127);
                        expected.extend((length as u64).to_be_bytes());
                    }
                }
                expected.extend_from_slice(&payload);
            }
            assert_eq!(outbound.len(), expected.len());
            let mut stream = Narrow { room, vectored, got: Vec::new(), writes: 0 };
            assert!(outbound.poll_write(&mut cx, Pin::new(&mut stream), 0).is_ready());
            assert!(stream.got == expected, "{room}");
            assert!(room < 1 << 20 || stream.writes == 1, "{} writes", stream.writes);
            assert_eq!(
                (outbound.len(), outbound.tail.capacity(), outbound.queue.capacity()),
                (0, 0, 0)
            );
        }
    }
}
