//! Connections within this machine where it has unix sockets: an engine's own, and those that
//! `ssh` forwards.

mod halves;

use std::io;
use std::sync::Arc;

use tokio::net::UnixStream;

pub(in crate::engine) use halves::{ReadHalf, WriteHalf};

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
    #[cfg(test)]
    pub(in crate::engine) fn of(stream: UnixStream) -> Self {
        Self { stream, held: None }
    }

    /// Two halves that can be used side by side. No lock joins them.
    pub(in crate::engine) fn into_split(self) -> io::Result<(ReadHalf, WriteHalf)> {
        halves::split(self.stream.into_std()?, self.held)
    }

    /// Whether there are few connections of this kind, so that none should be kept.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        self.held.as_ref().is_some_and(|lease| lease.is_scarce())
    }
}

forward_reads!(Stream, stream in Self { stream, .. });
forward_writes!(Stream, stream in Self { stream, .. });
