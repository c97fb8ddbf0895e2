//! The JavaScript ends of [`Pipe`]s: synchronous, with a signal when there is something to do.

use std::{sync::Arc, task::Waker};

use bytes::Bytes;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use crate::{client::Client, pipe::Pipe};

/// Where bytes for JavaScript come from.
pub(super) trait ByteSource: Send + Sync {
    /// Copies what waits into `room`; answers how many bytes that was, and how to go on.
    fn pull(&self, room: &mut [u8], signal: &Waker) -> (usize, Next);

    /// Whether everything was read and nothing more will come.
    fn is_ended(&self) -> bool;

    /// Nobody will read any more.
    fn close(&self);
}

/// How a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There may be more already.
    Ask = 0,
    /// There is nothing more now; the signal comes with more, or with the end.
    Wait = 1,
    /// Nothing more will come.
    End = 2,
}

/// Bits of what JavaScript is told of one pull that say how to go on; the others count bytes.
const NEXT_BITS: u32 = 2;

impl ByteSource for Pipe {
    fn pull(&self, room: &mut [u8], signal: &Waker) -> (usize, Next) {
        let count = self.read_into(room);
        let next = if count == room.len() || self.arm_reader(signal) {
            if self.is_ended() { Next::End } else { Next::Ask }
        } else {
            Next::Wait
        };
        (count, next)
    }

    fn is_ended(&self) -> bool {
        self.is_ended()
    }

    fn close(&self) {
        self.close();
    }
}

/// The end that JavaScript reads.
#[napi]
pub struct ByteReader {
    source: Arc<dyn ByteSource>,
    signal: Waker,
}

impl ByteReader {
    pub(super) fn new(source: Arc<dyn ByteSource>, signal: Waker) -> Self {
        Self { source, signal }
    }
}

#[napi]
impl ByteReader {
    /// Copies what waits into `slab`, from `offset` on. The answer's lowest two bits say how to go
    /// on: 0, ask again; 1, the signal comes when there is more, or the end; 2, nothing more will
    /// come. The others are the number of bytes. All in one call, for there is one for each key.
    #[napi]
    pub fn pull(&self, mut slab: BufferSlice, offset: u32) -> u32 {
        let room = slab.get_mut(offset as usize..).unwrap_or_default();
        let (count, next) = self.source.pull(room, &self.signal);
        // A slab is far smaller than 1 GiB.
        (u32::try_from(count).unwrap_or_default() << NEXT_BITS) | next as u32
    }

    /// Whether everything was read and nothing more will come.
    #[napi]
    pub fn is_ended(&self) -> bool {
        self.source.is_ended()
    }

    /// Says that nobody will read any more; what comes is dropped.
    #[napi]
    pub fn close(&self) {
        self.source.close();
    }
}

/// Where bytes of JavaScript's go.
pub(super) trait ByteSink: Send + Sync {
    /// The queue that they wait in.
    fn queue(&self) -> &Pipe;

    /// Copies as much of `bytes` as there is room for; answers how many bytes that was.
    fn push_slice(&self, bytes: &[u8]) -> usize {
        self.queue().push_slice(bytes)
    }
}

impl ByteSink for Arc<Pipe> {
    fn queue(&self) -> &Pipe {
        self
    }
}

impl ByteSink for Client {
    fn queue(&self) -> &Pipe {
        self.input()
    }

    fn push_slice(&self, bytes: &[u8]) -> usize {
        self.write_input(bytes)
    }
}

/// The end that JavaScript writes.
#[napi]
pub struct ByteWriter {
    sink: Box<dyn ByteSink>,
    signal: Waker,
}

impl ByteWriter {
    pub(super) fn new(sink: impl ByteSink + 'static, signal: Waker) -> Self {
        Self { sink: Box::new(sink), signal }
    }
}

#[napi]
impl ByteWriter {
    /// Copies the bytes from `offset` on, as far as there is room; answers how many were taken.
    #[napi]
    pub fn push(&self, bytes: BufferSlice, offset: u32) -> u32 {
        let bytes = bytes.get(offset as usize..).unwrap_or_default();
        u32::try_from(self.sink.push_slice(bytes)).unwrap_or(u32::MAX)
    }

    /// Takes the bytes as one piece that is neither split nor changed. `false`: there is no room
    /// for more now.
    #[napi]
    pub fn push_whole(&self, bytes: BufferSlice) -> bool {
        self.sink.queue().push(Bytes::copy_from_slice(&bytes))
    }

    /// Asks for the signal when there is room. `true`: there is room now, and the signal will
    /// not come.
    #[napi]
    pub fn arm(&self) -> bool {
        self.sink.queue().arm_writer(&self.signal)
    }

    /// Bytes that were taken and not read yet.
    #[napi(getter)]
    pub fn pending(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // memory has fewer than 2^53 bytes
        let pending = self.sink.queue().len() as f64;
        pending
    }

    /// Says that nothing more will be written.
    #[napi]
    pub fn end(&self) {
        self.sink.queue().end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Told(AtomicBool);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_pull_says_how_to_go_on() {
        let told = Arc::new(Told::default());
        let signal = Waker::from(Arc::clone(&told));
        let (pipe, mut room) = (Pipe::new(1024), [0; 4]);
        assert_eq!(pipe.pull(&mut room, &signal), (0, Next::Wait));
        pipe.push(Bytes::from_static(b"abcdef"));
        assert!(told.0.swap(false, Ordering::Relaxed));
        assert_eq!(pipe.pull(&mut room, &signal), (4, Next::Ask));
        assert_eq!(pipe.pull(&mut room, &signal), (2, Next::Wait));
        pipe.push(Bytes::from_static(b"ghij"));
        assert!(told.0.swap(false, Ordering::Relaxed));
        assert_eq!(pipe.pull(&mut room, &signal), (4, Next::Ask), "there may be more");
        assert_eq!(pipe.pull(&mut room, &signal), (0, Next::Wait));
        pipe.end();
        assert!(told.0.swap(false, Ordering::Relaxed));
        assert_eq!(pipe.pull(&mut room, &signal), (0, Next::End));
    }

    #[test]
    fn the_end_comes_with_the_last_bytes() {
        for length in [3, 4] {
            let pipe = Pipe::new(1024);
            pipe.push(Bytes::from_static(b"abcd").slice(..length));
            pipe.end();
            assert_eq!(pipe.pull(&mut [0; 4], Waker::noop()), (length, Next::End));
        }
    }

    #[test]
    fn a_closed_pipe_is_at_its_end() {
        let pipe = Pipe::new(1024);
        pipe.push(Bytes::from_static(b"nobody wants this"));
        pipe.close();
        assert_eq!(pipe.pull(&mut [0; 4], Waker::noop()), (0, Next::End));
    }
}
