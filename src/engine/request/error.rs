//! What can go wrong with a request, whatever the engine thinks of it.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Error as ClientError;

use crate::engine::host::EngineHost;
use crate::engine::ssh::SshError;

/// Why a request has no answer, or only a part of one.
///
/// An answer with any HTTP status is none of these: what a status means is the caller's to say.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request cannot be written as HTTP.
    #[error("cannot send this request: {what}")]
    Invalid {
        /// Which part of it, and why.
        what: String,
    },
    /// Nobody answers at the engine's address.
    #[error("cannot reach the engine at {host}; is it running, and may this user connect to it")]
    Unreachable {
        /// Where the engine was expected.
        host: EngineHost,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// There is no connection through ssh.
    #[error(transparent)]
    Ssh(SshError),
    /// No TLS connection came about.
    #[error("no TLS connection to the engine at {host}; check ca, cert and key")]
    Tls {
        /// Where the engine was expected.
        host: EngineHost,
        /// What is wrong with it.
        source: Arc<io::Error>,
    },
    /// Connecting took too long.
    #[error("connecting to the engine at {host} took longer than {} ms", .after.as_millis())]
    ConnectTimeout {
        /// Where the engine was expected.
        host: EngineHost,
        /// The time that it was given.
        after: Duration,
    },
    /// Nothing was sent or received for too long.
    #[error("the engine at {host} was silent for {} ms", .after.as_millis())]
    IdleTimeout {
        /// Where the engine is.
        host: EngineHost,
        /// The time that it was given.
        after: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error("lost the engine at {host} before its answer was complete")]
    Lost {
        /// Where the engine is.
        host: EngineHost,
        /// What the connection said.
        source: Arc<io::Error>,
    },
    /// What came is not HTTP.
    #[error("what answers at {host} does not speak HTTP")]
    Protocol {
        /// Where the engine should be.
        host: EngineHost,
        /// What is wrong with it.
        source: Arc<io::Error>,
    },
    /// An answer that is to be gathered is too long.
    #[error("the engine's answer is longer than {limit} bytes; ask for a stream")]
    AnswerLimit {
        /// Bytes that can be gathered.
        limit: usize,
    },
}

impl RequestError {
    /// Stable name for programs: `err.code` in JavaScript, listed in docs/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "DEW_REQUEST_INVALID",
            Self::Unreachable { .. } => "DEW_ENGINE_UNREACHABLE",
            Self::Ssh(error) => error.code(),
            Self::Tls { .. } => "DEW_TLS_FAILED",
            Self::ConnectTimeout { .. } => "DEW_ENGINE_CONNECT_TIMEOUT",
            Self::IdleTimeout { .. } => "DEW_ENGINE_IDLE_TIMEOUT",
            Self::Lost { .. } => "DEW_ENGINE_LOST",
            Self::Protocol { .. } => "DEW_ENGINE_PROTOCOL",
            Self::AnswerLimit { .. } => "DEW_ENGINE_ANSWER_LIMIT",
        }
    }

    /// The system's number for what happened, if the system had a part in it.
    #[must_use]
    pub fn system_error(&self) -> Option<i32> {
        match self {
            Self::Unreachable { source, .. } | Self::Tls { source, .. } => source.raw_os_error(),
            Self::Lost { source, .. } | Self::Protocol { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// The error for a connection that broke.
    pub(super) fn lost(host: &EngineHost, source: io::Error) -> Self {
        Self::Lost { host: host.clone(), source: Arc::new(source) }
    }

    /// The error for a connection that was closed within an answer.
    pub(super) fn cut_short(host: &EngineHost) -> Self {
        Self::lost(host, io::Error::other("the connection was closed within the answer"))
    }

    /// The error for an answer that is none.
    pub(super) fn unreadable(host: &EngineHost, why: &'static str) -> Self {
        Self::Protocol { host: host.clone(), source: Arc::new(io::Error::other(why)) }
    }

    /// The error for an engine that no connection could be made to.
    pub(super) fn unreachable(host: &EngineHost, source: io::Error) -> Self {
        match SshError::find(&source) {
            Some(error) => Self::Ssh(error.clone()),
            None => Self::Unreachable { host: host.clone(), source: Arc::new(source) },
        }
    }

    /// The error for a request that hyper's client gave up.
    pub(super) fn from_client(host: &EngineHost, error: ClientError) -> Self {
        // What the connector failed with comes back as it was.
        let own = error.is_connect().then(|| own_error(&error)).flatten();
        own.unwrap_or_else(|| Self::from_connection(host, &error))
    }

    /// The error for a connection that broke: after the system's reason, or the parser's.
    pub(super) fn from_connection(host: &EngineHost, error: &(dyn StdError + 'static)) -> Self {
        let host = host.clone();
        let mut source = Some(error);
        let mut unreadable = false;
        let mut reason = String::new();
        while let Some(inner) = source {
            if let Some(system) = inner.downcast_ref::<io::Error>() {
                return Self::Lost { host, source: Arc::new(copy(system)) };
            }
            unreadable |= inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
            reason = inner.to_string();
            source = inner.source();
        }
        let source = Arc::new(io::Error::other(reason));
        if unreadable { Self::Protocol { host, source } } else { Self::Lost { host, source } }
    }
}

fn own_error(error: &(dyn StdError + 'static)) -> Option<RequestError> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(own) = inner.downcast_ref::<RequestError>() {
            return Some(own.clone());
        }
        source = inner.source();
    }
    None
}

/// The same once more: hyper lends its causes, and does not give them away.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
