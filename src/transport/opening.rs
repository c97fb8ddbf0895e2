//! A stream during the client's handshake: hands the library the head of the response and not a
//! byte more, since what the server says behind it would be lost with the library's buffer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, header::CONTENT_LENGTH};
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    time::timeout,
};
use tokio_util::io::poll_read_buf;

use super::PeerStream;
use crate::forward::forward_writes;

/// The most that one read takes.
const READ_SIZE: usize = 4096;

/// How long the body of a refusal is waited for; its status is known by then.
const BODY_WAIT: Duration = Duration::from_secs(1);

/// How much of the blank line that ends a head has been seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    LineEnd,
    LineEndAndReturn,
    All,
}

/// A stream whose reader is shown one HTTP head, and then its end.
pub(super) struct Opening {
    stream: PeerStream,
    unread: BytesMut,
    seen: Seen,
}

impl Opening {
    pub(super) fn new(stream: PeerStream) -> Self {
        Self { stream, unread: BytesMut::new(), seen: Seen::Nothing }
    }

    /// The stream, and what was read of it behind the head.
    pub(super) fn into_parts(self) -> (PeerStream, BytesMut) {
        (self.stream, self.unread)
    }

    /// The body of the response whose `headers` were read, cut to `limit` bytes.
    pub(super) async fn read_some(mut self, limit: usize, headers: &HeaderMap) -> BytesMut {
        let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let length = told.unwrap_or(limit).min(limit);
        let reading = async {
            while self.unread.len() < length {
                if !matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..)) {
                    return;
                }
            }
        };
        // What has come by then is better than nothing.
        let _ = timeout(BODY_WAIT, reading).await;
        self.unread.truncate(length);
        self.unread
    }

    /// How many of the unread bytes belong to the head.
    fn advance(&mut self, most: usize) -> usize {
        let mut count = 0;
        for &byte in self.unread.iter().take(most) {
            if self.seen == Seen::All {
                break;
            }
            self.seen = match (byte, self.seen) {
                (b'\n', Seen::Nothing) => Seen::LineEnd,
                (b'\n', _) => Seen::All,
                (b'\r', Seen::LineEnd) => Seen::LineEndAndReturn,
                _ => Seen::Nothing,
            };
            count += 1;
        }
        count
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() && self.seen != Seen::All {
            let Self { stream, unread, .. } = &mut *self;
            unread.reserve(READ_SIZE);
            ready!(poll_read_buf(Pin::new(stream), cx, unread))?;
        }
        let count = self.advance(buffer.remaining());
        buffer.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

forward_writes!(Opening, stream in Self { stream, .. });

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_head_is_shown_and_what_follows_is_kept() {
        for head in ["HTTP/1.1 101 x\r\nA: b\r\n\r\n", "HTTP/1.1 101 x\nA: b\n\n"] {
            for piece in [1, 7, 1000] {
                let (mut far, near) = duplex(piece);
                let mut opening = Opening::new(PeerStream::Bridge(Box::new(near)));
                let sending = async {
                    far.write_all(format!("{head}\r\n\n\nfirst").as_bytes()).await.unwrap();
                };
                let reading = async {
                    let mut shown = String::new();
                    opening.read_to_string(&mut shown).await.unwrap();
                    let (mut stream, kept) = opening.into_parts();
                    let mut rest = vec![0; 9 - kept.len()];
                    stream.read_exact(&mut rest).await.unwrap();
                    (shown, [&kept[..], &rest].concat())
                };
                let ((), (shown, rest)) = tokio::join!(sending, reading);
                assert_eq!(shown, head);
                assert_eq!(rest, b"\r\n\n\nfirst");
            }
        }
    }
}
