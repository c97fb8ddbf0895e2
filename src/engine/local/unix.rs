//! Connections within this machine where it has unix sockets: an engine's own, and those that
//! `ssh` forwards.

use std::io;
use std::sync::Arc;

use tokio::net::{UnixStream, unix};

use crate::engine::connect::Demand;
use crate::engine::host::{EngineHost, PIPES_ELSEWHERE};
use crate::engine::ssh;
use crate::forward::{forward_reads, forward_writes};

/// What has to be there as long as a connection, or a half of it.
type Held = Option<Arc<ssh::Lease>>;

/// A connection through a unix socket.
#[derive(Debug)]
pub(in crate::engine) struct Stream {
    stream: UnixStream,
    held: Held,
}

/// The half of a [`Stream`] that is read.
#[derive(Debug)]
pub(in crate::engine) struct ReadHalf {
    half: unix::OwnedReadHalf,
    _held: Held,
}

/// The half of a [`Stream`] that is written; dropping it ends our side of the stream.
#[derive(Debug)]
pub(in crate::engine) struct WriteHalf {
    half: unix::OwnedWriteHalf,
    _held: Held,
}

/// Connects to `host`, which is of a kind that this module serves, for the calls of `demand`.
pub(in crate::engine) async fn connect(
    host: &EngineHost,
    demand: Option<&Demand>,
) -> io::Result<Stream> {
    match host {
        EngineHost::Unix(path) => {
            Ok(Stream { stream: UnixStream::connect(path).await?, held: None })
        }
        EngineHost::Ssh(host) => {
            let (stream, lease) = ssh::connect(host, demand).await?;
            Ok(Stream { stream, held: Some(Arc::new(lease)) })
        }
        EngineHost::Pipe(_) | EngineHost::Tcp { .. } => {
            Err(io::Error::new(io::ErrorKind::Unsupported, PIPES_ELSEWHERE))
        }
    }
}

impl Stream {
    /// Two halves that can be used side by side. No lock joins them.
    pub(in crate::engine) fn into_split(self) -> (ReadHalf, WriteHalf) {
        let Self { stream, held } = self;
        let (read, write) = stream.into_split();
        (ReadHalf { half: read, _held: held.clone() }, WriteHalf { half: write, _held: held })
    }

    /// Whether there are few connections of this kind, so that none should be kept.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        self.held.as_ref().is_some_and(|lease| lease.is_scarce())
    }
}

impl ReadHalf {
    /// Waits until there may be something to read. Cancel-safe.
    pub(in crate::engine) async fn readable(&self) -> io::Result<()> {
        self.half.readable().await
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(in crate::engine) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.half.try_read(buffer)
    }
}

forward_reads!(Stream, stream in Self { stream, .. });
forward_writes!(Stream, stream in Self { stream, .. });
forward_writes!(WriteHalf, half in Self { half, .. });
