//! Connections to an engine: one type over unix sockets and TCP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use super::host::EngineHost;
#[cfg(unix)]
use super::ssh;
use crate::forward::{forward_reads, forward_writes};

/// How long a TCP connection may be silent before the system asks whether the other
/// end is alive, and how often it asks. An idle command says nothing for hours: only
/// this finds out that the engine's machine is gone.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
#[cfg(not(windows))]
const KEEPALIVE_PROBES: u32 = 3;
/// How long a connection through ssh is kept for the next call.
const SSH_KEEP_FOR: Duration = Duration::from_secs(2);

/// What has to be there as long as a connection, or a half of it.
#[cfg(unix)]
type Held = Option<Arc<ssh::Lease>>;

/// A connection to an engine.
#[derive(Debug)]
pub(super) enum Socket {
    #[cfg(unix)]
    Unix(UnixStream, Held),
    Tcp(TcpStream),
}

/// The half of a [`Socket`] that is read. No lock joins it to the other half.
#[derive(Debug)]
#[cfg_attr(unix, expect(dead_code, reason = "what is held is there, and does no more"))]
pub(super) enum ReadHalf {
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf, Held),
    Tcp(tcp::OwnedReadHalf),
}

/// The half of a [`Socket`] that is written; dropping it ends our side of the stream.
#[derive(Debug)]
#[cfg_attr(unix, expect(dead_code, reason = "what is held is there, and does no more"))]
pub(super) enum WriteHalf {
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf, Held),
    Tcp(tcp::OwnedWriteHalf),
}

/// How many calls wait for an answer that a new connection may bring sooner.
///
/// A pool goes on to connect when its call has been made on another connection meanwhile. Where
/// places are few, such a connection is not made.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand(Arc<AtomicUsize>);

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Demand {
    /// Counts a call, as long as what is given is there.
    pub(super) fn count(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(&self.0))
    }

    /// Whether any call waits.
    #[cfg(unix)]
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a connection may be kept for a next call whose time is `time`: places behind ssh are
/// few.
pub(super) fn keep_for(host: &EngineHost, time: Duration) -> Duration {
    match host {
        EngineHost::Ssh(_) => time.min(SSH_KEEP_FOR),
        _ => time,
    }
}

/// How long [`connect`] takes at the most, whose time is `timeout`: ssh has its own.
pub(super) fn limit(host: &EngineHost, timeout: Duration) -> Duration {
    match host {
        EngineHost::Ssh(_) => Duration::MAX,
        _ => timeout,
    }
}

/// Connects to `host`, waiting at most `timeout`; for the calls of `demand`, if it is given.
pub(super) async fn connect(
    host: &EngineHost,
    timeout: Duration,
    demand: Option<&Demand>,
) -> io::Result<Socket> {
    #[cfg(not(unix))]
    let _ = demand;
    let connecting = async {
        match host {
            #[cfg(unix)]
            EngineHost::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?, None)),
            #[cfg(not(unix))]
            EngineHost::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            EngineHost::Ssh(host) => {
                let (stream, lease) = ssh::connect(host, demand).await?;
                Ok(Socket::Unix(stream, Some(Arc::new(lease))))
            }
            #[cfg(not(unix))]
            EngineHost::Ssh(_) => Err(io::ErrorKind::Unsupported.into()),
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
    tokio::time::timeout(limit(host, timeout), connecting).await.unwrap_or_else(|_| Err(late()))
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
            Self::Unix(stream, held) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read, held.clone()), WriteHalf::Unix(write, held))
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
            Self::Unix(half, _) => half.readable().await,
            Self::Tcp(half) => half.readable().await,
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Unix(half, _) => half.try_read(buffer),
            Self::Tcp(half) => half.try_read(buffer),
        }
    }
}

forward_reads!(Socket, stream in #[cfg(unix)] Self::Unix(stream, _), Self::Tcp(stream));
forward_writes!(Socket, stream in #[cfg(unix)] Self::Unix(stream, _), Self::Tcp(stream));
forward_writes!(WriteHalf, stream in #[cfg(unix)] Self::Unix(stream, _), Self::Tcp(stream));

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        #[cfg(unix)]
        if let Self::Unix(_, Some(lease)) = self
            && lease.is_scarce()
        {
            connected.poison();
        }
        connected
    }
}
