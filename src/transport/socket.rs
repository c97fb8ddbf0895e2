//! The WebSocket itself: frames on a byte stream, pongs and closes answered as RFC 6455 wants.
//!
//! An idle connection owns no buffer. Reads go into one that all connections of a thread share,
//! and which a connection keeps only for as long as it holds bytes that were not taken yet.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::lane::Place;
use crate::pace::Pace;

use super::{
    Incoming, PeerStream, Role, Sent, TransportError, close_code,
    frames::{Frame, Violation},
    inbound::{Inbound, Item},
    outbound::Outbound,
};

/// The most that one read takes.
const READ_SIZE: usize = 256 * 1024;

/// Bytes that may wait to be written before the next frame has to wait.
const WRITE_HIGH: usize = 256 * 1024;

thread_local! {
    /// The buffer that no connection of this thread holds at the moment.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Bytes that were read and not taken yet.
#[derive(Default)]
struct Unread {
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

/// One open WebSocket.
pub(super) struct Socket {
    stream: PeerStream,
    /// Where the stream gets its news.
    place: Place,
    role: Role,
    limit: usize,
    unread: Unread,
    inbound: Inbound,
    outbound: Outbound,
    /// The answer to the last ping; of several that cannot be sent yet the latest is enough.
    pong: Option<Bytes>,
    /// An answer of ours may still have to be written.
    answering: bool,
    pace: Pace,
    /// Bytes came since somebody asked.
    heard: bool,
    close_sent: bool,
    close_received: bool,
    failed: bool,
    /// Our direction of the connection is closed.
    shut: bool,
}

impl Socket {
    /// A WebSocket on `stream`, behind the handshake. `head` holds bytes that came with it.
    pub(super) fn new(stream: PeerStream, head: &[u8], role: Role, limit: usize) -> Self {
        stream.tune();
        let buffer = (!head.is_empty()).then(|| Box::from(head));
        Self {
            stream,
            place: Place::Home,
            role,
            limit,
            unread: Unread { buffer, start: 0, end: head.len() },
            inbound: Inbound::new(role, limit),
            outbound: Outbound::new(role),
            pong: None,
            answering: false,
            pace: Pace::of_peer(),
            heard: false,
            close_sent: false,
            close_received: false,
            failed: false,
            shut: false,
        }
    }

    pub(super) fn stream(&self) -> &PeerStream {
        &self.stream
    }

    /// Whether bytes came since the last call.
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// The next message or close, if it was read already. `Pending` promises no wake-up.
    pub(super) fn poll_unread(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Incoming, TransportError>> {
        if self.unread.bytes().is_empty() { Poll::Pending } else { self.poll_frames(cx, false) }
    }

    /// The next message or close; pings and closes are answered.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Incoming, TransportError>> {
        self.poll_frames(cx, true)
    }

    fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        may_read: bool,
    ) -> Poll<Result<Incoming, TransportError>> {
        self.poll_answer(cx);
        if self.close_received && self.close_sent && self.role == Role::Server {
            // The server is the one who closes the connection (RFC 6455, section 7.1.1).
            return Poll::Ready(Err(TransportError::Lost(None)));
        }
        if self.failed && !self.close_sent {
            return Poll::Ready(Err(TransportError::Lost(None)));
        }
        // The peer of a failed connection is shown its end. What it still sends is read to its own,
        // since unread bytes would make the system take our last words back.
        if self.failed && !self.shut {
            let _ = ready!(self.poll_flush(cx));
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.shut = true;
        }
        // What comes behind a close means nothing either.
        while self.failed || self.close_received {
            self.unread.drop_all();
            if !may_read {
                return Poll::Pending;
            }
            ready!(self.poll_fill(cx))?;
        }
        loop {
            let item = ready!(self.poll_item(cx, may_read)).inspect_err(|_| self.failed = true)?;
            let incoming = match item {
                Item::Message(bytes) => return Poll::Ready(Ok(Incoming::Message(bytes))),
                Item::Continued(bytes) => return Poll::Ready(Ok(Incoming::Continued(bytes))),
                Item::Pong => continue,
                Item::Ping(payload) => {
                    self.pong = Some(payload);
                    None
                }
                Item::Close(given) => {
                    self.close_received = true;
                    let (code, reason) = given.unwrap_or((close_code::NONE, String::new()));
                    if !self.close_sent {
                        let echo = (code != close_code::NONE).then(|| (code, String::new()));
                        self.queue(Frame::Close(echo))?;
                    }
                    Some(Incoming::Closed(code, reason))
                }
            };
            self.answering = true;
            self.poll_answer(cx);
            if let Some(closed) = incoming {
                return Poll::Ready(Ok(closed));
            }
        }
    }

    /// Writes our answers as far as that is possible now. A failure is for the sender to notice:
    /// there may be something to read still.
    fn poll_answer(&mut self, cx: &mut Context<'_>) {
        if self.answering {
            self.answering = self.poll_flush(cx).is_pending();
        }
    }

    fn poll_item(
        &mut self,
        cx: &mut Context<'_>,
        may_read: bool,
    ) -> Poll<Result<Item, TransportError>> {
        loop {
            let mut bytes = self.unread.bytes();
            let before = bytes.len();
            let next = self.inbound.next(&mut bytes);
            let taken = before - bytes.len();
            self.unread.take(taken);
            match next {
                Ok(Some(item)) => return Poll::Ready(Ok(item)),
                Ok(None) if may_read => ready!(self.poll_fill(cx))?,
                Ok(None) => return Poll::Pending,
                Err(violation) => {
                    return Poll::Ready(Err(match violation {
                        Violation::Protocol(rule) => TransportError::Protocol(rule.to_owned()),
                        Violation::TooBig => TransportError::TooBig { limit: self.limit },
                        Violation::NotUtf8 => TransportError::NotUtf8,
                    }));
                }
            }
        }
    }

    /// Reads once. Everything that was read before has been taken.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.pace.poll_rest(cx));
        self.follow();
        let read = ready!(self.unread.poll_read(Pin::new(&mut self.stream), cx));
        Poll::Ready(match read {
            Ok(0) => Err(TransportError::Lost(None)),
            Ok(count) => {
                self.heard = true;
                self.pace.after_read(count, READ_SIZE);
                Ok(())
            }
            Err(error) => Err(TransportError::Lost(Some(error))),
        })
    }

    /// Before whatever may have to wait for the stream.
    fn follow(&mut self) {
        self.place.follow(|| self.stream.register_again());
    }

    fn push(&mut self, frame: Frame) -> Result<(), TransportError> {
        let vectored = self.stream.is_write_vectored();
        self.outbound.push(frame, vectored).map_err(|error| TransportError::Lost(Some(error)))
    }

    /// Waits until a frame may be queued.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.outbound.len() > WRITE_HIGH {
            self.poll_write(cx, WRITE_HIGH)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Queues a frame; [`Socket::poll_ready`] has said that there is room.
    pub(super) fn queue(&mut self, frame: Frame) -> Result<(), TransportError> {
        if self.close_sent {
            return Err(TransportError::Lost(None));
        }
        self.close_sent = matches!(frame, Frame::Close(_));
        self.push(frame)
    }

    /// Writes out everything that was queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if !self.close_sent
            && self.outbound.len() <= WRITE_HIGH
            && let Some(payload) = self.pong.take()
        {
            self.push(Frame::Pong(payload))?;
        }
        ready!(self.poll_write(cx, 0))?;
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| TransportError::Lost(Some(error)))
    }

    /// Writes a frame now, as far as the system takes it, if nothing is to be written before it.
    /// Wakes nobody.
    pub(super) fn try_send(&mut self, frame: Frame) -> Sent {
        let is_free = self.outbound.len() == 0 && self.pong.is_none() && !self.answering;
        if !is_free || self.close_sent || self.failed || !self.stream.is_plain_socket() {
            return Sent::No;
        }
        if self.push(frame).is_err() {
            return Sent::No;
        }
        match self.poll_write(&mut Context::from_waker(Waker::noop()), 0) {
            Poll::Ready(Ok(())) => Sent::Whole,
            Poll::Ready(Err(_)) | Poll::Pending => Sent::Queued,
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        rest: usize,
    ) -> Poll<Result<(), TransportError>> {
        self.follow();
        self.outbound
            .poll_write(cx, Pin::new(&mut self.stream), rest)
            .map_err(|error| TransportError::Lost(Some(error)))
    }
}

impl Unread {
    fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer[self.start..self.end])
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            self.drop_all();
        }
    }

    fn drop_all(&mut self) {
        (self.start, self.end) = (0, 0);
        if let Some(buffer) = self.buffer.take()
            && buffer.len() == READ_SIZE
        {
            SPARE.set(Some(buffer));
        }
    }

    /// Reads once, when nothing is left from before; answers how much.
    fn poll_read(
        &mut self,
        stream: Pin<&mut PeerStream>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = SPARE.take().unwrap_or_else(|| vec![0; READ_SIZE].into_boxed_slice());
        let mut room = ReadBuf::new(&mut buffer);
        let polled = stream.poll_read(cx, &mut room);
        let count = room.filled().len();
        (self.start, self.end, self.buffer) = (0, count, Some(buffer));
        if count == 0 {
            self.drop_all();
        }
        polled.map_ok(|()| count)
    }
}
