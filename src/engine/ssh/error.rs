//! What can go wrong on the way to an engine behind ssh.

use std::fmt;
use std::io;

/// The most that is kept of what `ssh` says: its end, where the reason is.
#[cfg(unix)]
pub(super) const MAX_SAID: usize = 2048;

/// Why there is no connection through ssh.
///
/// The source is what `ssh` itself said, if it said something.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .kind.text(.host, .socket))]
pub struct SshError {
    kind: SshFailure,
    host: String,
    socket: String,
    source: Option<Said>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SshFailure {
    /// There is no `ssh` here.
    Missing,
    /// The server's key is not in the list of known ones.
    HostKeyUnknown,
    /// The list has another key for the server.
    HostKeyChanged,
    /// No key of ours is one that the server accepts.
    Denied,
    /// Nobody answers at the server's address, or there is none.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The server does not forward, and does not run `docker` either.
    ForwardingRefused,
    /// There is no socket at the path.
    SocketMissing,
    /// The user may not open it.
    SocketDenied,
    /// Nobody answers at the socket.
    EngineSilent,
    /// No session on the connection became free in time.
    Busy,
    /// Anything else.
    Failed,
}

impl SshFailure {
    fn text(self, host: &str, socket: &str) -> String {
        match self {
            Self::Missing => {
                "cannot start ssh; install the OpenSSH client, or put it in PATH".into()
            }
            Self::HostKeyUnknown => format!(
                "the host key of {host} is not known; connect once with ssh and compare it, or add it to known_hosts"
            ),
            Self::HostKeyChanged => format!(
                "the host key of {host} has changed: somebody may be in between; find out why before you remove the old one from known_hosts"
            ),
            Self::Denied => format!(
                "{host} accepts none of our keys; is the right one in the agent or in ssh's configuration, and the user the right one"
            ),
            Self::Unreachable => format!(
                "cannot reach the ssh server of {host}; look at the address, and whether it runs"
            ),
            Self::Timeout => format!(
                "the connection to {host} took too long; look at the network, or give it more time"
            ),
            Self::ForwardingRefused => format!(
                "{host} does not forward to {socket}, and has no docker command to take instead; allow AllowStreamLocalForwarding there"
            ),
            Self::SocketMissing => format!(
                "there is no socket {socket} at {host}; name the engine's own in the address"
            ),
            Self::SocketDenied => format!(
                "the user at {host} may not open {socket}; add the user to the group that may"
            ),
            Self::EngineSilent => format!("no engine answers at {socket} of {host}; is it running"),
            Self::Busy => format!(
                "no session of the connection to {host} became free in time; end streams, or raise the limit if the server allows more"
            ),
            Self::Failed => format!("ssh has failed to connect to {host}"),
        }
    }

    /// Stable name for programs: `err.code` in JavaScript, listed in docs/errors.md.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "DEW_SSH_MISSING",
            Self::HostKeyUnknown => "DEW_SSH_HOST_KEY_UNKNOWN",
            Self::HostKeyChanged => "DEW_SSH_HOST_KEY_CHANGED",
            Self::Denied => "DEW_SSH_DENIED",
            Self::Unreachable => "DEW_SSH_UNREACHABLE",
            Self::Timeout => "DEW_SSH_TIMEOUT",
            Self::ForwardingRefused => "DEW_SSH_FORWARDING_REFUSED",
            Self::SocketMissing => "DEW_SSH_SOCKET_MISSING",
            Self::SocketDenied => "DEW_SSH_SOCKET_DENIED",
            Self::EngineSilent => "DEW_ENGINE_UNREACHABLE",
            Self::Busy => "DEW_SSH_BUSY",
            Self::Failed => "DEW_SSH_FAILED",
        }
    }

    /// What the last words of an `ssh` that gave up stand for.
    #[cfg(unix)]
    pub(super) fn from_words(words: &str) -> Self {
        let words = words.to_lowercase();
        let has = |some: &[&str]| some.iter().any(|some| words.contains(some));
        if has(&["identification has changed", "differs from the key for"]) {
            Self::HostKeyChanged
        } else if has(&["host key verification failed", "host key is known for"]) {
            Self::HostKeyUnknown
        } else if has(&["permission denied (", "too many authentication failures"]) {
            Self::Denied
        } else if has(&[
            "could not resolve hostname",
            "connection refused",
            "connection reset",
            "connection closed",
            "timed out",
            "no route to host",
            "network is unreachable",
            "kex_exchange_identification",
            // The other end was gone before ssh had written its first line.
            "banner exchange",
            "broken pipe",
        ]) {
            Self::Unreachable
        } else {
            Self::Failed
        }
    }
}

impl SshError {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> SshFailure {
        self.kind
    }

    /// Stable name for programs: `err.code` in JavaScript, listed in docs/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    #[cfg(unix)]
    pub(super) fn new(kind: SshFailure, host: &super::SshHost, said: &str) -> Self {
        let said = said.trim();
        Self {
            kind,
            host: host.to_string(),
            socket: host.socket().to_owned(),
            source: (!said.is_empty()).then(|| Said(readable(said))),
        }
    }

    /// This error inside of one of the operating system's, as connections fail with.
    pub(in crate::engine) fn find(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<SshError> for io::Error {
    fn from(error: SshError) -> Self {
        Self::other(error)
    }
}

/// What `ssh`, or the other end, said.
#[derive(Clone, Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

/// Without anything that a terminal would obey.
#[cfg(unix)]
fn readable(said: &str) -> String {
    let lines = said.lines().map(|line| line.trim_end().replace(|c: char| c.is_control(), "?"));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::engine::ssh::SshHost;

    #[test]
    fn the_words_of_ssh_are_understood() {
        let cases = [
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                SshFailure::HostKeyChanged,
            ),
            ("Host key verification failed.", SshFailure::HostKeyUnknown),
            (
                "No ED25519 host key is known for h and you have requested strict checking.",
                SshFailure::HostKeyUnknown,
            ),
            ("me@h: Permission denied (publickey).", SshFailure::Denied),
            ("ssh: connect to host h port 22: Connection refused", SshFailure::Unreachable),
            (
                "ssh: Could not resolve hostname h: Name or service not known",
                SshFailure::Unreachable,
            ),
            (
                "kex_exchange_identification: Connection closed by remote host",
                SshFailure::Unreachable,
            ),
            (
                "banner exchange: Connection to UNKNOWN port 65535: Broken pipe",
                SshFailure::Unreachable,
            ),
            ("/etc/x: line 1: Bad configuration option: nonsense", SshFailure::Failed),
        ];
        for (words, expected) in cases {
            assert_eq!(SshFailure::from_words(words), expected, "{words}");
        }
    }

    #[test]
    fn control_characters_of_ssh_are_not_passed_on() {
        let host = SshHost::parse("engine").unwrap();
        let error = SshError::new(SshFailure::Failed, &host, "one\x1b[2J\r\ntwo\u{9b}\n");
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(said, "one?[2J; two?");
    }
}
