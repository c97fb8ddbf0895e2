//! Connections to an engine: one type over unix sockets and TCP.

use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use super::host::EngineHost;
use crate::forward::{forward_reads, forward_writes};

/// How long a TCP connection may be silent before the system asks whether the other
/// end is alive, and how often it asks. An idle command says nothing for hours: only
/// this finds out that the engine's machine is gone.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
#[cfg(not(windows))]
const KEEPALIVE_PROBES: u32 = 3;

/// A connection to an engine.
#[derive(Debug)]
pub(super) enum Socket {
    #[cfg(unix)]
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// The half of a [`Socket`] that is read. No lock joins it to the other half.
#[derive(Debug)]
pub(super) enum ReadHalf {
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    Tcp(tcp::OwnedReadHalf),
}

/// The half of a [`Socket`] that is written; dropping it ends our side of the stream.
#[derive(Debug)]
pub(super) enum WriteHalf {
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    Tcp(tcp::OwnedWriteHalf),
}

/// Connects to `host`, waiting at most `timeout`.
pub(super) async fn connect(host: &EngineHost, timeout: Duration) -> io::Result<Socket> {
    let connecting = async {
        match host {
            #[cfg(unix)]
            EngineHost::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            EngineHost::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            EngineHost::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                tune(&stream)?;
                Ok(Socket::Tcp(stream))
            }
        }
    };
    let late = || {
        let text = format!("connecting took longer than {} ms", timeout.as_millis());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    tokio::time::timeout(timeout, connecting).await.unwrap_or_else(|_| Err(late()))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        socket2::TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

impl Socket {
    /// Two halves that can be used side by side.
    pub(super) fn into_split(self) -> (ReadHalf, WriteHalf) {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
        }
    }
}

impl ReadHalf {
    /// Waits until there may be something to read. Cancel-safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Unix(half) => half.readable().await,
            Self::Tcp(half) => half.readable().await,
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Unix(half) => half.try_read(buffer),
            Self::Tcp(half) => half.try_read(buffer),
        }
    }
}

forward_reads!(Socket, stream in #[cfg(unix)] Self::Unix(stream), Self::Tcp(stream));
forward_writes!(Socket, stream in #[cfg(unix)] Self::Unix(stream), Self::Tcp(stream));
forward_writes!(WriteHalf, stream in #[cfg(unix)] Self::Unix(stream), Self::Tcp(stream));

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
