//! The two halves of a unix socket, each of which waits for its own kind of news only.
//!
//! A socket that waits for both, as tokio's halves do, is told each time the engine takes some of
//! what was written, whether or not there is more to write: each key of a terminal would wake the
//! server once for nothing.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWrite, Interest};

use super::Held;
use crate::lane::Place;

/// How long after the last wait for the engine the next one is taken to be near.
const FULL_LASTS: Duration = Duration::from_millis(100);

/// The socket, which does not block, and what it needs.
#[derive(Debug)]
struct Shared {
    socket: UnixStream,
    _held: Held,
}

/// Two halves of `socket`, which does not block.
pub(super) fn split(socket: UnixStream, held: Held) -> io::Result<(ReadHalf, WriteHalf)> {
    let shared = Arc::new(Shared { socket, _held: held });
    let socket = watch(Watched(Arc::clone(&shared)), Interest::READABLE)?;
    let read = ReadHalf { socket, place: Place::Home };
    Ok((read, WriteHalf { shared, full: None }))
}

/// What a half waits on.
#[derive(Debug)]
struct Watched(Arc<Shared>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.socket.as_raw_fd()
    }
}

/// A descriptor that can be waited for.
#[expect(unsafe_code, reason = "tokio has no safe way to wait for one kind of news only")]
fn watch<T: AsFd + AsRawFd>(descriptor: T, news: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: what lends a descriptor (`AsFd`) keeps it open as long as it lives, and `AsyncFd`
    // owns it. Both kinds that come here name the same one at all times.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, news) }?)
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}

/// The half that is read.
#[derive(Debug)]
pub(in crate::engine) struct ReadHalf {
    socket: AsyncFd<Watched>,
    place: Place,
}

impl ReadHalf {
    /// Has its news come to where the task runs.
    pub(in crate::engine) fn follow(&mut self) {
        self.place.follow(|| {
            let same = Watched(Arc::clone(&self.socket.get_ref().0));
            self.socket = watch(same, Interest::READABLE)?;
            Ok(())
        });
    }

    /// Waits until there may be something to read. Cancel-safe.
    pub(in crate::engine) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// Reads what is there; `WouldBlock` if nothing is. An engine that closes while input of ours is
    /// unread, as it does for a command that takes none, is told of as a reset, behind all that it
    /// has written (Linux, `unix_release_sock`): that is its end.
    pub(in crate::engine) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut short = None;
        let read = self.socket.try_io(Interest::READABLE, |watched| {
            let count = (&watched.0.socket).read(buffer)?;
            if count > 0 && count < buffer.len() {
                // That was all: the next news are those of what comes later (epoll(7), on edges).
                short = Some(count);
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        match (short, read) {
            (Some(count), _) => Ok(count),
            (None, Err(error)) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            (None, read) => read,
        }
    }
}

/// The half that is written; dropping it ends our side of the stream.
#[derive(Debug)]
pub(in crate::engine) struct WriteHalf {
    shared: Arc<Shared>,
    full: Option<Full>,
}

/// A descriptor of its own to wait on, kept while the engine takes less than there is.
#[derive(Debug)]
struct Full {
    descriptor: AsyncFd<OwnedFd>,
    place: Place,
    /// When it was waited on last.
    needed: Instant,
}

impl WriteHalf {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (place, needed) = (Place::here(), Instant::now());
        self.full.take_if(|full| full.place != place);
        let full = match &mut self.full {
            Some(full) => full,
            none => {
                let own = self.shared.socket.as_fd().try_clone_to_owned()?;
                let descriptor = place.make(|| watch(own, Interest::WRITABLE))?;
                none.insert(Full { descriptor, place, needed })
            }
        };
        full.needed = needed;
        ready!(full.descriptor.poll_write_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let half = self.get_mut();
        loop {
            match (&half.shared.socket).write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(half.poll_room(cx))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => {
                    half.full.take_if(|full| full.needed.elapsed() >= FULL_LASTS);
                    return Poll::Ready(done);
                }
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shared.socket.shutdown(Shutdown::Write))
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // An engine that is gone needs no end.
        let _ = self.shared.socket.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::join;
    use tokio::net::UnixStream as Far;

    use super::*;

    fn pair() -> (ReadHalf, WriteHalf, Far) {
        let (near, far) = Far::pair().unwrap();
        let (read, write) = split(near.into_std().unwrap(), None).unwrap();
        (read, write, far)
    }

    /// A pair whose writer had to wait for room a moment ago.
    async fn pair_that_was_full() -> (ReadHalf, WriteHalf, Far) {
        let (read, mut write, mut far) = pair();
        let mut taken = vec![0; 1 << 20];
        let (written, _) = join!(write.write_all(&[0; 1 << 20]), far.read_exact(&mut taken));
        written.unwrap();
        assert!(write.full.is_some(), "it had to wait before");
        (read, write, far)
    }

    #[tokio::test]
    async fn more_than_the_socket_holds_is_written_in_order() {
        let (_read, mut write, mut far) = pair();
        let sent: Vec<u8> = (0..3_000_000u32).map(|at| at.to_le_bytes()[1]).collect();
        let all = sent.clone();
        let writing = tokio::spawn(async move {
            write.write_all(&all).await.unwrap();
            assert!(write.full.is_some(), "it had to wait");
            // Long after that, one key.
            let full = write.full.as_mut().unwrap();
            full.needed = full.needed.checked_sub(FULL_LASTS).unwrap();
            write.write_all(b"k").await.unwrap();
            assert!(write.full.is_none());
            write.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        writing.await.unwrap();
        assert_eq!(got.pop(), Some(b'k'));
        assert!(got == sent);
    }

    #[tokio::test]
    async fn a_full_socket_is_waited_for_in_silence() {
        #[derive(Default)]
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (_read, mut write, _far) = pair_that_was_full().await;
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        while Pin::new(&mut write).poll_write(&mut cx, &[0; 1 << 16]).is_ready() {}
        assert!(!woken.0.load(Ordering::Relaxed), "there is nothing to look for");
    }

    #[tokio::test]
    async fn what_comes_is_read_however_it_comes_and_so_is_the_end() {
        let (read, write, mut far) = pair();
        let mut some = [0; 4];
        for (sent, expected) in [("abc", &["abc"][..]), ("defghij", &["defg", "hij"])] {
            far.write_all(sent.as_bytes()).await.unwrap();
            for expected in expected {
                read.readable().await.unwrap();
                let count = read.try_read(&mut some).unwrap();
                assert_eq!(&some[..count], expected.as_bytes());
            }
        }
        let empty = read.try_read(&mut some).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        far.write_all(b"end").await.unwrap();
        far.shutdown().await.unwrap();
        for expected in [3, 0, 0] {
            read.readable().await.unwrap();
            assert_eq!(read.try_read(&mut some).unwrap(), expected);
        }
        drop(write);
        assert_eq!(far.read(&mut some).await.unwrap(), 0, "a dropped half is an end");
    }

    #[tokio::test]
    async fn an_end_is_one_although_input_is_left_unread() {
        let (read, mut write, mut far) = pair();
        write.write_all(b"nobody reads this").await.unwrap();
        far.write_all(b"last").await.unwrap();
        drop(far);
        let mut some = [0; 8];
        for expected in [4, 0, 0] {
            read.readable().await.unwrap();
            assert_eq!(read.try_read(&mut some).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_far_end_that_is_gone_is_an_error_also_while_the_socket_is_full() {
        let (_read, mut write, far) = pair();
        let writing = tokio::spawn(async move { write.write_all(&[0; 3_000_000]).await });
        // Some of it has come: the rest is waited with.
        far.readable().await.unwrap();
        drop(far);
        let error = writing.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn in_the_lane_a_full_socket_tells_the_lane_of_its_room() {
        let (_read, mut write, far) = pair_that_was_full().await;
        let far = far.into_std().unwrap();
        crate::lane::tests::alone(async move {
            poll_fn(|cx| {
                while Pin::new(&mut write).poll_write(cx, &[0; 1 << 16]).is_ready() {}
                Poll::Ready(())
            })
            .await;
            while (&far).read(&mut [0; 1 << 16]).is_ok() {}
            poll_fn(|cx| write.poll_room(cx)).await.unwrap();
        })
        .await;
    }
}
