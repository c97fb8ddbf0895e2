//! What can go wrong between us and an engine: one variant per kind of failure.

use std::io;

use super::host::EngineHost;
use super::ssh::SshError;

/// The kinds of hosts that this system serves, as examples in texts.
const EXAMPLES: &str = match cfg!(windows) {
    true => "npipe:////./pipe/docker_engine or tcp://name:port",
    false => "unix:///path/to/docker.sock, tcp://name:port or ssh://user@name",
};

/// Why an engine could not do what was asked.
///
/// A command that fails is not an error here: its exit code is part of
/// [`ExecState`](super::ExecState). The text says what failed and what to do; the
/// cause is in `source()` and never repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The text is not an address of an engine.
    #[error("invalid engine host {host:?}: {reason}; use {EXAMPLES}")]
    InvalidHost {
        /// What was given.
        host: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address is of a kind that is known, and not served.
    #[error("engine host {host:?} is not supported: {reason}; use {EXAMPLES}")]
    UnsupportedHost {
        /// What was given.
        host: String,
        /// Which part is not supported.
        reason: &'static str,
    },
    /// An option is out of its range.
    #[error("engine option {name} {reason}")]
    InvalidOption {
        /// The field of [`EngineOptions`](super::EngineOptions).
        name: &'static str,
        /// What it has to be.
        reason: &'static str,
    },
    /// A container's name or id has characters that no engine gives out.
    #[error("invalid container name {name:?}: use letters, digits, '_', '.' and '-'")]
    InvalidContainer {
        /// What was given.
        name: String,
    },
    /// The engine at `host` did not answer: nobody listens, or not in time.
    #[error("cannot reach the engine at {host}; is it running, and may this user connect to it")]
    Unreachable {
        /// Where the engine was expected.
        host: EngineHost,
        /// What the connection said.
        source: io::Error,
    },
    /// There is no connection through ssh.
    #[error(transparent)]
    Ssh(SshError),
    /// The connection of a running command broke.
    #[error("lost the engine at {host} while a command was running")]
    Lost {
        /// Where the engine was.
        host: EngineHost,
        /// What the connection said.
        source: io::Error,
    },
    /// The container or exec does not exist (any more).
    #[error("{message}")]
    NotFound {
        /// The engine's own words.
        message: String,
    },
    /// The container is not in a state for this: stopped, paused, restarting.
    #[error("{message}")]
    Conflict {
        /// The engine's own words.
        message: String,
    },
    /// The engine answered `status`, with its own explanation.
    #[error("engine refused: {message} (HTTP {status})")]
    Refused {
        /// The HTTP status of its answer.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// Other starts held all places for as long as a call may take.
    #[error("engine is busy: {limit} commands are being started; try again")]
    Busy {
        /// [`EngineOptions::start_limit`](super::EngineOptions::start_limit).
        limit: usize,
    },
    /// A command that is run to its end for us printed more than was allowed.
    #[error("the command printed more than {limit} bytes")]
    OutputLimit {
        /// Bytes of stdout and stderr together.
        limit: usize,
    },
    /// The engine sent what no engine should send.
    #[error("engine at {host} broke its protocol: {what}")]
    Protocol {
        /// Where the engine is.
        host: EngineHost,
        /// What came instead of what was expected.
        what: String,
    },
}

impl EngineError {
    /// Stable name for programs: `err.code` in JavaScript, listed in docs/errors.md.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidHost { .. } => "DEW_HOST_INVALID",
            Self::UnsupportedHost { .. } => "DEW_HOST_UNSUPPORTED",
            Self::InvalidOption { .. } => "DEW_OPTION_INVALID",
            Self::InvalidContainer { .. } => "DEW_CONTAINER_INVALID",
            Self::Unreachable { .. } => "DEW_ENGINE_UNREACHABLE",
            Self::Ssh(error) => error.code(),
            Self::Lost { .. } => "DEW_ENGINE_LOST",
            Self::NotFound { .. } => "DEW_ENGINE_NOT_FOUND",
            Self::Conflict { .. } => "DEW_ENGINE_CONFLICT",
            Self::Refused { .. } => "DEW_ENGINE_REFUSED",
            Self::Busy { .. } => "DEW_ENGINE_BUSY",
            Self::OutputLimit { .. } => "DEW_ENGINE_OUTPUT_LIMIT",
            Self::Protocol { .. } => "DEW_ENGINE_PROTOCOL",
        }
    }

    /// Whether the engine may have carried out what was asked: the request was sent, and what
    /// became of it is not known.
    pub(super) fn may_have_worked(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        match self {
            Self::Unreachable { source, .. } => {
                !matches!(source.kind(), ConnectionRefused | NotFound | PermissionDenied)
            }
            Self::Lost { .. } | Self::Protocol { .. } => true,
            _ => false,
        }
    }

    /// The error for an HTTP answer that is not a success.
    pub(super) fn from_status(status: u16, message: String) -> Self {
        let message = message.trim().to_owned();
        match status {
            404 => Self::NotFound { message },
            409 => Self::Conflict { message },
            _ => Self::Refused { status, message },
        }
    }

    /// The error for an engine that no connection could be made to, or whose connection broke.
    pub(super) fn unreachable(host: &EngineHost, source: io::Error) -> Self {
        match SshError::find(&source) {
            Some(error) => Self::Ssh(error.clone()),
            None => Self::Unreachable { host: host.clone(), source },
        }
    }

    /// The error for a call that took longer than it may.
    pub(super) fn timed_out(host: &EngineHost, what: &str, after: std::time::Duration) -> Self {
        let text = format!("{what} took longer than {} ms", after.as_millis());
        Self::Unreachable {
            host: host.clone(),
            source: io::Error::new(io::ErrorKind::TimedOut, text),
        }
    }
}
