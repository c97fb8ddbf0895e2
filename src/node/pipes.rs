//! The JavaScript ends of [`Pipe`]s: synchronous, with a signal when there is something to do.

use std::{sync::Arc, task::Waker};

use bytes::Bytes;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use crate::{client::Client, pipe::Pipe};

/// Where bytes for JavaScript come from.
pub(super) trait ByteSource: Send + Sync {
    /// Copies what waits into `room`; answers how many bytes that was.
    fn read_into(&self, room: &mut [u8]) -> usize;

    /// Whether there is something already, or the end; if not, `signal` is woken when there is.
    fn arm(&self, signal: &Waker) -> bool;

    /// Whether everything was read and nothing more will come.
    fn is_ended(&self) -> bool;

    /// Nobody will read any more.
    fn close(&self);
}

impl ByteSource for Pipe {
    fn read_into(&self, room: &mut [u8]) -> usize {
        self.read_into(room)
    }

    fn arm(&self, signal: &Waker) -> bool {
        self.arm_reader(signal)
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
    /// Copies what waits into `slab`, from `offset` on; answers how many bytes that was, 0 if
    /// there is nothing now.
    #[napi]
    pub fn read_into(&self, mut slab: BufferSlice, offset: u32) -> u32 {
        let room = slab.get_mut(offset as usize..).unwrap_or_default();
        // A slab is far smaller than 4 GiB.
        u32::try_from(self.source.read_into(room)).unwrap_or(u32::MAX)
    }

    /// Asks for the signal when there is something to read, or the end. `true`: it is there
    /// already, and the signal will not come.
    #[napi]
    pub fn arm(&self) -> bool {
        self.source.arm(&self.signal)
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
