//! A socket that is read in paces: in bulk in fewer, larger pieces, whoever reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::engine::connect::Socket;
use crate::forward::forward_writes;
use crate::pace::Pace;

/// A socket below HTTP or TLS, which read whatever there is as soon as there is something.
pub(super) struct PacedSocket {
    pub(super) socket: Socket,
    pace: Pace,
}

impl PacedSocket {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, pace: Pace::of_engine() }
    }
}

impl AsyncRead for PacedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.pace.poll_rest(cx));
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.pace.after_read(buffer.filled().len() - before, room);
        Poll::Ready(Ok(()))
    }
}

forward_writes!(PacedSocket, socket in Self { socket, .. });
