//! One open session: a socket, and a task that takes what comes.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Mutex, Notify, watch};

use crate::wire::{self, Reader, Seen, Wire};

/// The most that one read takes from a unix socket, and that is thrown away at once from TCP.
const SCRATCH: usize = 1024 * 1024;
/// From TCP only heads are worth reading: output is thrown away unread.
const TCP_READ: usize = 16 * 1024;

/// Bytes that all sessions have taken and given so far, for reports of headway.
pub(crate) static MOVED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// All sessions read into this.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// A connection of either kind.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.readable().await,
            Self::Unix(socket) => socket.readable().await,
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_read(buffer),
            Self::Unix(socket) => socket.try_read(buffer),
        }
    }

    /// Ends what we send; the other direction goes on.
    fn end(&self) -> io::Result<()> {
        let socket = match self {
            Self::Tcp(socket) => socket2::SockRef::from(socket),
            Self::Unix(socket) => socket2::SockRef::from(socket),
        };
        socket.shutdown(std::net::Shutdown::Write)
    }

    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match self {
                Self::Tcp(socket) => {
                    socket.writable().await?;
                    socket.try_write(bytes)
                }
                Self::Unix(socket) => {
                    socket.writable().await?;
                    socket.try_write(bytes)
                }
            };
            match written {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for more and appends it; false at the end.
    pub(crate) async fn read_more(&self, to: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            self.readable().await?;
            let read = BUFFER.with_borrow_mut(|buffer| {
                let count = self.try_read(&mut buffer[..TCP_READ])?;
                to.extend_from_slice(&buffer[..count]);
                Ok::<_, io::Error>(count)
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(|count| count > 0),
            }
        }
    }

    /// Takes what is there; the number of bytes, 0 at the end.
    fn take(&self, reader: &mut Reader, seen: &mut Seen) -> io::Result<usize> {
        BUFFER.with_borrow_mut(|buffer| {
            let left = usize::try_from(reader.output_left()).unwrap_or(usize::MAX).min(SCRATCH);
            match self {
                Self::Tcp(socket) if left > TCP_READ => {
                    // Linux throws the bytes away where they are: nothing is copied.
                    let (_, count) = socket.try_io(Interest::READABLE, || {
                        recv(socket, &mut buffer[..left], RecvFlags::TRUNC).map_err(io::Error::from)
                    })?;
                    reader.skip(count as u64, seen);
                    Ok(count)
                }
                _ => {
                    let most = if matches!(self, Self::Tcp(_)) { TCP_READ } else { SCRATCH };
                    let count = self.try_read(&mut buffer[..most])?;
                    reader.feed(&buffer[..count], seen).map_err(io::Error::other)?;
                    Ok(count)
                }
            }
        })
    }
}

/// What a session's task and its users share.
pub(crate) struct Session {
    pub(crate) socket: Socket,
    pub(crate) wire: Wire,
    /// Whole messages only, whoever writes.
    writing: Mutex<()>,
    /// Told of all output.
    pub(crate) arrived: Notify,
    paused: watch::Sender<bool>,
}

impl Session {
    pub(crate) fn new(socket: Socket, wire: Wire) -> Arc<Self> {
        let (writing, arrived) = (Mutex::new(()), Notify::new());
        Arc::new(Self { socket, wire, writing, arrived, paused: watch::Sender::new(false) })
    }

    pub(crate) async fn send(&self, message: &[u8]) -> io::Result<()> {
        let _whole = self.writing.lock().await;
        self.socket.write_all(message).await
    }

    /// Sends `bytes` bytes of input in messages of `size`, no faster than the server wants them, and its end.
    pub(crate) async fn input(&self, mut bytes: usize, size: usize) -> io::Result<()> {
        let message = wire::input(self.wire, size);
        let mut paused = self.paused.subscribe();
        while bytes > 0 {
            if paused.wait_for(|paused| !paused).await.is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let now = size.min(bytes);
            if now == size {
                self.send(&message).await?;
            } else {
                self.send(&wire::input(self.wire, now)).await?;
            }
            MOVED.fetch_add(now as u64, Ordering::Relaxed);
            bytes -= now;
        }
        match self.wire {
            Wire::WebSocket => self.send(&wire::end_of_input()).await,
            Wire::Engine => self.socket.end(),
        }
    }

    /// Takes everything until `enough`, or to the end of the session.
    pub(crate) async fn take_until(
        &self,
        reader: &mut Reader,
        seen: &mut Seen,
        enough: impl Fn(&Seen) -> bool,
    ) -> io::Result<()> {
        while !enough(seen) && !seen.closed {
            self.socket.readable().await?;
            let before = seen.bytes;
            match self.socket.take(reader, seen) {
                Ok(0) => seen.closed = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if seen.bytes > before {
                MOVED.fetch_add(seen.bytes - before, Ordering::Relaxed);
                self.arrived.notify_one();
            }
            self.paused
                .send_if_modified(|paused| std::mem::replace(paused, seen.paused) != seen.paused);
            if let Some(payload) = seen.ping.take() {
                self.send(&wire::pong(&payload)).await?;
            }
        }
        if seen.closed && self.wire == Wire::WebSocket {
            // A server that has gone already has heard enough.
            let _ = self.send(&wire::close()).await;
        }
        Ok(())
    }
}
