//! The bounded queue between the peer's input and the command's standard input.

use std::{collections::VecDeque, future::poll_fn, io::IoSlice, pin::Pin, task::Poll};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// The terminal's end-of-file character, Ctrl-D. A terminal acts on it at the start of a line;
/// behind other text the first one only hands that text on, so a second one is needed.
const EOT: u8 = 4;

/// What one small chunk counts beside its bytes.
const CHUNK_COST: usize = 64;

/// Chunks that one write hands to the kernel.
const BATCH: usize = 16;

/// Input on its way to the command. Accepts input before the command runs.
pub(super) struct StdinQueue<W> {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    tty: bool,
    ended: bool,
    at_line_start: bool,
    writer: Writer<W>,
}

enum Writer<W> {
    /// The command does not run yet.
    Expected,
    Open(W),
    /// Ended, or the command no longer takes input: that is not an error.
    Closed,
}

impl<W: AsyncWrite + Unpin> StdinQueue<W> {
    pub(super) fn new(tty: bool) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            tty,
            ended: false,
            at_line_start: true,
            writer: Writer::Expected,
        }
    }

    /// The command runs; this is its input.
    pub(super) fn attach(&mut self, writer: W) {
        self.writer = Writer::Open(writer);
    }

    /// Whether the command's input is still to come.
    pub(super) fn is_expected(&self) -> bool {
        matches!(self.writer, Writer::Expected)
    }

    /// What the queue holds, in bytes; each chunk counts a little more than its length.
    pub(super) fn cost(&self) -> usize {
        self.bytes + self.chunks.len() * CHUNK_COST
    }

    /// Queues input. Ignored after the end, and when the command takes none any more.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if self.ended || matches!(self.writer, Writer::Closed) {
            return;
        }
        if let Some(&last) = chunk.last() {
            self.at_line_start = matches!(last, b'\n' | b'\r' | EOT);
            self.bytes += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// Ends the input behind what is queued.
    pub(super) fn end(&mut self) {
        if self.tty {
            let count = if self.at_line_start { 1 } else { 2 };
            self.push(Bytes::from_static(&[EOT, EOT]).slice(..count));
        }
        self.ended = true;
    }

    /// Whether [`StdinQueue::write_some`] has something to do.
    pub(super) fn has_work(&self) -> bool {
        matches!(self.writer, Writer::Open(_))
            && (!self.chunks.is_empty() || (self.ended && !self.tty))
    }

    /// Writes as much as the command takes at once, or ends its input. Cancel-safe. A command
    /// that no longer reads is not an error: what is queued is dropped, as is all that follows.
    pub(super) async fn write_some(&mut self) {
        poll_fn(|cx| {
            let Writer::Open(writer) = &mut self.writer else {
                return Poll::Ready(());
            };
            let writer = Pin::new(writer);
            let done = if self.chunks.is_empty() {
                std::task::ready!(writer.poll_shutdown(cx)).map(|()| None)
            } else {
                let mut slices = [IoSlice::new(&[]); BATCH];
                let count = self.chunks.len().min(BATCH);
                for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                    *slice = IoSlice::new(chunk);
                }
                std::task::ready!(writer.poll_write_vectored(cx, &slices[..count])).map(Some)
            };
            match done {
                Ok(Some(written)) if written > 0 => self.consume(written),
                _ => self.close(),
            }
            Poll::Ready(())
        })
        .await;
    }

    fn close(&mut self) {
        // The half of the connection is kept open where the input ended in order.
        self.chunks = VecDeque::new();
        self.bytes = 0;
        self.writer = Writer::Closed;
    }

    fn consume(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let Some(front) = self.chunks.front_mut() else { return };
            let count = front.len().min(written);
            front.advance(count);
            written -= count;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    fn queue(tty: bool, room: usize) -> (StdinQueue<DuplexStream>, DuplexStream) {
        let (ours, commands) = duplex(room);
        let mut queue = StdinQueue::new(tty);
        queue.attach(ours);
        (queue, commands)
    }

    async fn drained(mut queue: StdinQueue<DuplexStream>, mut command: DuplexStream) -> Vec<u8> {
        while queue.has_work() {
            queue.write_some().await;
        }
        drop(queue);
        let mut all = Vec::new();
        command.read_to_end(&mut all).await.unwrap();
        all
    }

    #[tokio::test]
    async fn input_that_came_before_the_command_is_not_lost() {
        let mut queue = StdinQueue::new(false);
        queue.push(Bytes::from_static(b"early "));
        queue.push(Bytes::from_static(b"bird"));
        queue.end();
        assert!(queue.is_expected() && !queue.has_work());
        let (ours, command) = duplex(64);
        queue.attach(ours);
        assert_eq!(drained(queue, command).await, b"early bird");
    }

    #[tokio::test]
    async fn input_after_the_end_is_ignored() {
        let (mut queue, command) = queue(false, 64);
        queue.push(Bytes::from_static(b"a"));
        queue.end();
        queue.push(Bytes::from_static(b"b"));
        queue.end();
        assert_eq!(drained(queue, command).await, b"a");
    }

    #[tokio::test]
    async fn a_terminal_gets_its_end_of_file_character() {
        for (input, expected) in [("", "\x04"), ("a\n", "a\n\x04"), ("a", "a\x04\x04")] {
            let (mut queue, command) = queue(true, 64);
            queue.push(Bytes::from_static(input.as_bytes()));
            queue.end();
            assert_eq!(drained(queue, command).await, expected.as_bytes(), "{input:?}");
        }
    }

    #[tokio::test]
    async fn a_command_that_takes_no_input_is_not_an_error() {
        let (mut queue, command) = queue(false, 4);
        drop(command);
        queue.push(Bytes::from_static(b"abc"));
        queue.write_some().await;
        assert_eq!((queue.cost(), queue.has_work()), (0, false));
        queue.push(Bytes::from_static(b"abc"));
        assert_eq!(queue.cost(), 0);
    }

    #[tokio::test]
    async fn partial_writes_keep_the_rest() {
        let (mut queue, mut command) = queue(false, 3);
        queue.push(Bytes::from_static(b"ab"));
        queue.push(Bytes::from_static(b"cdef"));
        queue.write_some().await;
        assert!(queue.cost() < 6 + 2 * CHUNK_COST);
        let mut some = [0; 3];
        let read = command.read(&mut some).await.unwrap();
        let mut all = some[..read].to_vec();
        let reading = async {
            let mut rest = Vec::new();
            command.read_to_end(&mut rest).await.unwrap();
            rest
        };
        let writing = async {
            queue.end();
            while queue.has_work() {
                queue.write_some().await;
            }
        };
        let (rest, ()) = tokio::join!(reading, writing);
        all.extend(rest);
        assert_eq!(all, b"abcdef");
    }
}
