//! Connections to an engine: one type over what its host may be, within this machine (`local`,
//! a module for each kind of system) or TCP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::net::{TcpStream, tcp};

use super::host::EngineHost;
use super::local;
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

/// A connection to an engine.
#[derive(Debug)]
pub(super) enum Socket {
    Local(local::Stream),
    Tcp(TcpStream),
}

/// The half of a [`Socket`] that is read. No lock joins it to the other half.
#[derive(Debug)]
pub(super) enum ReadHalf {
    Local(local::ReadHalf),
    Tcp(tcp::OwnedReadHalf),
}

/// The half of a [`Socket`] that is written; dropping it ends our side of the stream.
#[derive(Debug)]
pub(super) enum WriteHalf {
    Local(local::WriteHalf),
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
    let connecting = async {
        match host {
            EngineHost::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                tune(&stream)?;
                Ok(Socket::Tcp(stream))
            }
            _ => Ok(Socket::Local(local::connect(host, demand).await?)),
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
    /// Two halves that can be used side by side. Fails when the system cannot wait for them.
    pub(super) fn into_split(self) -> io::Result<(ReadHalf, WriteHalf)> {
        Ok(match self {
            Self::Local(stream) => {
                let (read, write) = stream.into_split()?;
                (ReadHalf::Local(read), WriteHalf::Local(write))
            }
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
        })
    }
}

impl ReadHalf {
    /// Has its news come to where the task runs, if they are those of a unix socket.
    pub(super) fn follow(&mut self) {
        match self {
            Self::Local(half) => half.follow(),
            Self::Tcp(_) => {}
        }
    }

    /// Waits until there may be something to read. Cancel-safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Local(half) => half.readable().await,
            Self::Tcp(half) => half.readable().await,
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(half) => half.try_read(buffer),
            Self::Tcp(half) => half.try_read(buffer),
        }
    }
}

forward_reads!(Socket, stream in Self::Local(stream), Self::Tcp(stream));
forward_writes!(Socket, stream in Self::Local(stream), Self::Tcp(stream));
forward_writes!(WriteHalf, stream in Self::Local(stream), Self::Tcp(stream));

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if let Self::Local(stream) = self
            && stream.is_scarce()
        {
            connected.poison();
        }
        connected
    }
}
