//! What comes of a request, for JavaScript to read: from a queue, or straight from a socket.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::sync::Notify;

use super::pipes::{ByteSource, Next};
use crate::{
    engine::{RequestError, SocketOutput},
    pipe::Pipe,
};

/// The output of a request. On a hijacked socket, and in a long body, JavaScript reads from the
/// system itself: no byte waits in between, and no other thread has to be woken for it.
pub(super) struct Output {
    pub(super) pipe: Arc<Pipe>,
    source: Mutex<Source>,
    /// The reader waits, or has come to the end.
    news: Notify,
}

/// Where bytes come from.
enum Source {
    Pipe,
    Socket(Arc<SocketOutput>),
    /// The socket was read to its end, or nobody wants to read it.
    Ended(Option<RequestError>),
}

impl Output {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let source = Mutex::new(Source::Pipe);
        Arc::new(Self { pipe: Pipe::new(limit), source, news: Notify::new() })
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on, bytes come from `socket`, after those that are queued.
    pub(super) fn join(&self, socket: Arc<SocketOutput>) {
        *self.source() = Source::Socket(socket);
    }

    /// Tells the reader by `signal` whenever it waits and there is something; resolves when it
    /// has come to the end.
    pub(super) async fn serve(&self, signal: &Waker) -> Result<(), RequestError> {
        loop {
            self.news.notified().await;
            let socket = match &mut *self.source() {
                Source::Pipe => return Ok(()),
                Source::Socket(socket) => Arc::clone(socket),
                Source::Ended(failed) => return failed.take().map_or(Ok(()), Err),
            };
            // How it broke is found out by reading; of silence only we know.
            if let Err(silent @ RequestError::IdleTimeout { .. }) = socket.readable().await {
                *self.source() = Source::Ended(None);
                return Err(silent);
            }
            signal.wake_by_ref();
        }
    }
}

impl ByteSource for Output {
    fn pull(&self, room: &mut [u8], signal: &Waker) -> (usize, Next) {
        let mut source = self.source();
        let outcome = match &*source {
            Source::Pipe => return self.pipe.pull(room, signal),
            Source::Socket(socket) => match self.pipe.read_into(room) {
                0 => socket.try_read(room),
                queued => return (queued, Next::Ask),
            },
            Source::Ended(_) => return (0, Next::End),
        };
        let next = match outcome {
            Ok(Some(count)) if count > 0 => return (count, Next::Ask),
            Ok(None) => Next::Wait,
            Ok(Some(_)) => {
                *source = Source::Ended(None);
                Next::End
            }
            Err(error) => {
                *source = Source::Ended(Some(error));
                Next::End
            }
        };
        self.news.notify_one();
        (0, next)
    }

    fn is_ended(&self) -> bool {
        match &*self.source() {
            Source::Pipe => self.pipe.is_ended(),
            Source::Ended(_) => true,
            Source::Socket(_) => false,
        }
    }

    /// The socket is let go of at once, not when this is garbage.
    fn close(&self) {
        self.pipe.close();
        let mut source = self.source();
        if matches!(*source, Source::Socket(_)) {
            *source = Source::Ended(None);
        }
    }
}
