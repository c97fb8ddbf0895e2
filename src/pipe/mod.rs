//! A bounded queue of bytes between one producer and one consumer.
//!
//! Either end may be asynchronous (it polls) or synchronous (it asks, and leaves a waker for the
//! next change), so one type serves the client's streams and every crossing between a task and
//! JavaScript. Chunks that were pushed whole are handed on without a copy, but for small ones of a
//! burst, which are joined.

mod pieces;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};

pub(crate) use pieces::{PIECE, Piece};

/// What each chunk counts beside its bytes, so that a flood of tiny chunks is bounded too.
const CHUNK_COST: usize = 64;

/// Shorter chunks of a burst are copied behind each other: cheaper than to queue each, and to free
/// it on the consumer's thread.
const JOINED: usize = 2048;

/// A bounded queue of bytes. Shared by its two ends through an [`Arc`].
///
/// The limit counts bytes plus a small constant for each chunk. A chunk that is pushed whole is
/// always taken, so the queue holds at most the limit and one chunk.
#[derive(Debug)]
pub struct Pipe {
    limit: usize,
    prefix: Option<u8>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    /// Joined chunks, behind all others.
    joined: Piece,
    bytes: usize,
    ended: bool,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn cost(&self) -> usize {
        let joined = usize::from(!self.joined.as_ref().is_empty());
        self.bytes + (self.chunks.len() + joined) * CHUNK_COST
    }

    fn put(&mut self, chunk: Bytes) {
        self.finish_joined();
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    /// As [`State::put`], but what waits need not stay the chunks that it was.
    fn put_joined(&mut self, chunk: Bytes) {
        if chunk.len() >= JOINED || self.bytes == 0 {
            return self.put(chunk);
        }
        if self.joined.as_ref().len() + chunk.len() > PIECE {
            self.finish_joined();
        }
        self.bytes += chunk.len();
        self.joined.append(&chunk);
    }

    fn finish_joined(&mut self) {
        if !self.joined.as_ref().is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.joined).freeze());
        }
    }

    /// The chunk to be read next.
    fn front(&mut self) -> Option<&mut Bytes> {
        if self.chunks.is_empty() {
            self.finish_joined();
        }
        self.chunks.front_mut()
    }
}

impl Pipe {
    /// A queue that is full when it holds `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, prefix: None, state: Mutex::default() })
    }

    /// The same, where each chunk made by [`Pipe::push_slice`] begins with `prefix`.
    #[must_use]
    pub fn with_prefix(limit: usize, prefix: u8) -> Arc<Self> {
        Arc::new(Self { limit, prefix: Some(prefix), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `chunk`; answers whether there is room for more. Dropped if the consumer is gone.
    pub fn push(&self, chunk: Bytes) -> bool {
        let mut state = self.state();
        if state.closed || state.ended || chunk.is_empty() {
            return true;
        }
        state.put(chunk);
        let room = state.cost() < self.limit;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        room
    }

    /// As [`Pipe::push`] for a chunk of a burst: small ones are joined, and the consumer may sleep
    /// until the queue is half full, or until [`Pipe::wake_reader`]: one wake-up for many chunks.
    pub fn push_quietly(&self, chunk: Bytes) -> bool {
        let mut state = self.state();
        if state.closed || state.ended || chunk.is_empty() {
            return true;
        }
        state.put_joined(chunk);
        let cost = state.cost();
        let reader = if cost > self.limit / 2 { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        cost < self.limit
    }

    /// Wakes the consumer if something waits for it.
    pub fn wake_reader(&self) {
        let mut state = self.state();
        let reader = if state.bytes == 0 { None } else { state.reader.take() };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Copies as much of `bytes` as there is room for, in chunks of at most [`PIECE`]; answers how many
    /// bytes that was. Takes
    /// (and drops) all of them if the consumer is gone.
    pub fn push_slice(&self, bytes: &[u8]) -> usize {
        let mut state = self.state();
        if state.closed || state.ended {
            return bytes.len();
        }
        let mut rest = bytes;
        while !rest.is_empty() && state.cost() < self.limit {
            let prefix = self.prefix.as_slice();
            let room = (self.limit - state.cost()).min(PIECE - prefix.len()).min(rest.len());
            let (now, later) = rest.split_at(room);
            let mut chunk = Piece::with_room(prefix.len() + now.len());
            chunk.bytes().extend_from_slice(prefix);
            chunk.bytes().extend_from_slice(now);
            state.put(chunk.freeze());
            rest = later;
        }
        let taken = bytes.len() - rest.len();
        let reader = if taken > 0 { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        taken
    }

    /// Says that nothing more will be pushed.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Says that nobody will read any more: what is queued is dropped, pushes are taken and dropped.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.bytes = 0;
        state.chunks = VecDeque::new();
        state.joined = Piece::default();
        let (reader, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Whether [`Pipe::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Whether the producer has finished and everything was read.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        let state = self.state();
        state.closed || (state.ended && state.bytes == 0)
    }

    /// Bytes that wait to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().bytes
    }

    /// Whether no bytes wait to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next chunk, if there is one now.
    pub fn pop(&self) -> Option<Bytes> {
        let mut state = self.state();
        state.front()?;
        let chunk = state.chunks.pop_front()?;
        state.bytes -= chunk.len();
        self.wake_writer(state);
        Some(chunk)
    }

    /// Copies bytes into `slab` until it is full or nothing waits; answers how many.
    pub fn read_into(&self, slab: &mut [u8]) -> usize {
        let mut state = self.state();
        let mut filled = 0;
        while filled < slab.len() {
            let Some(chunk) = state.front() else { break };
            let count = chunk.len().min(slab.len() - filled);
            slab[filled..filled + count].copy_from_slice(&chunk[..count]);
            chunk.advance(count);
            if chunk.is_empty() {
                state.chunks.pop_front();
            }
            filled += count;
        }
        state.bytes -= filled;
        if filled > 0 {
            self.wake_writer(state);
        }
        filled
    }

    /// Wakes a producer that waits, once half of the queue is free: not for every few bytes.
    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        if state.cost() <= self.limit / 2
            && let Some(writer) = state.writer.take()
        {
            drop(state);
            writer.wake();
        }
    }

    /// Leaves `waker` for the moment when bytes, or the end, are there. `true` means that they
    /// are there already and that `waker` was not kept.
    pub fn arm_reader(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        if state.bytes > 0 || state.ended || state.closed {
            return true;
        }
        state.reader = Some(waker.clone());
        false
    }

    /// Leaves `waker` for the moment when half of the queue is free again. `true` means that
    /// there is room now, or that the consumer is gone, and that `waker` was not kept.
    pub fn arm_writer(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        if state.closed || state.cost() < self.limit {
            return true;
        }
        state.writer = Some(waker.clone());
        false
    }

    /// The next chunk, or `None` after the last.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(chunk) = self.pop() {
            return Poll::Ready(Some(chunk));
        }
        if !self.arm_reader(cx.waker()) {
            return Poll::Pending;
        }
        // Only a producer on another thread can have come between: look once more.
        Poll::Ready(self.pop())
    }

    /// Ready when there is room, or when the consumer is gone.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.arm_writer(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn bytes_come_out_in_order_across_chunks() {
        let pipe = Pipe::new(1024);
        assert!(pipe.push(Bytes::from_static(b"abc")));
        assert_eq!(pipe.push_slice(b"defg"), 4);
        let mut slab = [0; 5];
        assert_eq!(pipe.read_into(&mut slab), 5);
        assert_eq!(&slab, b"abcde");
        assert_eq!(pipe.pop().unwrap(), "fg");
        assert_eq!(pipe.read_into(&mut slab), 0);
    }

    #[test]
    fn a_slice_is_taken_only_as_far_as_there_is_room() {
        let pipe = Pipe::new(10);
        assert_eq!(pipe.push_slice(&[7; 25]), 10);
        assert_eq!(pipe.push_slice(&[7; 25]), 0);
        let (count, waker) = counter();
        assert!(!pipe.arm_writer(&waker));
        pipe.pop().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_slice_chunk_begins_with_the_prefix() {
        let pipe = Pipe::with_prefix(1 << 20, 9);
        let bytes = vec![1; PIECE];
        assert_eq!(pipe.push_slice(&bytes), bytes.len());
        let first = pipe.pop().unwrap();
        assert_eq!((first.len(), first[0], first[1]), (PIECE, 9, 1));
        assert_eq!(pipe.pop().unwrap(), Bytes::from_static(&[9, 1]));
    }

    #[test]
    fn the_reader_is_woken_once_for_bytes_and_for_the_end() {
        let pipe = Pipe::new(1024);
        let (count, waker) = counter();
        assert!(!pipe.arm_reader(&waker));
        pipe.push(Bytes::from_static(b"a"));
        pipe.push(Bytes::from_static(b"b"));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(pipe.arm_reader(&waker), "bytes are there");
        pipe.pop();
        pipe.pop();
        assert!(!pipe.arm_reader(&waker));
        pipe.end();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert!(pipe.is_ended());
    }

    #[test]
    fn quiet_chunks_wake_nobody_until_the_queue_is_half_full_or_the_burst_is_over() {
        let pipe = Pipe::new(1000);
        let (count, waker) = counter();
        assert!(!pipe.arm_reader(&waker));
        assert!(pipe.push_quietly(Bytes::from_static(&[0; 100])));
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        pipe.wake_reader();
        pipe.wake_reader();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        pipe.pop();
        pipe.wake_reader();
        assert!(!pipe.arm_reader(&waker));
        assert!(pipe.push_quietly(Bytes::from_static(&[0; 500])));
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert!(!pipe.push_quietly(Bytes::from_static(&[0; 500])));
    }

    #[test]
    fn small_chunks_of_a_burst_are_joined_in_their_order() {
        let pipe = Pipe::new(1 << 20);
        let mut sent = Vec::new();
        for (number, length) in [1, 5, 300, JOINED, 7, 7, 40_000, 1].into_iter().enumerate() {
            let chunk = vec![number as u8; length];
            sent.extend_from_slice(&chunk);
            pipe.push_quietly(chunk.into());
        }
        assert_eq!(pipe.len(), sent.len());
        let chunks: Vec<_> = std::iter::from_fn(|| pipe.pop()).collect();
        let lengths: Vec<_> = chunks.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [1, 305, JOINED, 14, 40_000, 1]);
        assert_eq!(chunks.concat(), sent);
        assert!(pipe.is_empty());
    }

    #[test]
    fn what_is_joined_has_a_limit_and_is_read_in_any_pieces() {
        let pipe = Pipe::new(1 << 20);
        let sent: Vec<u8> = (0..PIECE * 2).map(|at| (at / 100) as u8).collect();
        for chunk in sent.chunks(100) {
            assert!(pipe.push_quietly(Bytes::copy_from_slice(chunk)));
        }
        let mut slab = [0; 777];
        let mut got = Vec::new();
        let first = pipe.pop().unwrap();
        assert_eq!(first.len(), 100, "nothing was waiting: it stays as it was");
        got.extend_from_slice(&first);
        let second = pipe.pop().unwrap();
        assert!(second.len() <= PIECE && second.len() > PIECE - 100);
        got.extend_from_slice(&second);
        loop {
            let count = pipe.read_into(&mut slab);
            got.extend_from_slice(&slab[..count]);
            if count == 0 {
                break;
            }
        }
        assert!(got == sent);
        pipe.end();
        assert!(pipe.is_ended());
    }

    #[test]
    fn a_gone_consumer_lets_producers_go_on() {
        let pipe = Pipe::new(4);
        assert!(!pipe.push(Bytes::from_static(b"abcdef")));
        let (count, waker) = counter();
        assert!(!pipe.arm_writer(&waker));
        pipe.close();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(pipe.push_slice(&[0; 100]), 100);
        assert!(pipe.push(Bytes::from_static(b"x")));
        assert_eq!(pipe.len(), 0);
    }

    #[test]
    fn tiny_chunks_count_more_than_their_bytes() {
        let pipe = Pipe::new(1000);
        let mut pushed = 1;
        while pipe.push(Bytes::from_static(b"x")) {
            pushed += 1;
        }
        assert!(pushed <= 1000 / CHUNK_COST + 1);
    }
}
