//! What a caller of [`super::Server`] sets.

use std::time::Duration;

use crate::{
    engine::{EngineHost, EngineOptions},
    session::OnDisconnect,
    transport::{KeepAlive, Origins},
};

use super::ServerError;

/// Settings of one server: one container on one path. See [`ServerOptions::new`] for defaults.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The path that WebSockets are accepted on, such as `/shell`; compared as it stands.
    pub path: String,
    /// The container's name or id.
    pub container: String,
    /// The engine; default `DOCKER_HOST`, else `/var/run/docker.sock`.
    pub engine: EngineHost,
    /// How long one call to the engine may take; default 30 s.
    pub engine_timeout: Duration,
    /// Sessions at once; more are told `Too many sessions active!`. Default 10.
    pub max_sessions: usize,
    /// Words in front of each command; default none.
    pub wrapper_command: Vec<String>,
    /// What happens to a command when its peer goes; default [`OnDisconnect::Kill`].
    pub on_disconnect: OnDisconnect,
    /// From asking processes to end to making them; default 2 s.
    pub kill_grace: Duration,
    /// Whose web pages may connect; default [`Origins::Same`].
    pub origins: Origins,
    /// Whether [`Server::listen`](super::Server::listen) may listen where others than this machine
    /// come, with nothing but the path between them and the container; default no.
    pub allow_remote: bool,
    /// The largest message to take from a peer; default 16 MiB.
    pub max_message_size: usize,
    /// Bytes of input that may wait for a command that does not read; default 1 MiB. One
    /// message may go beyond it.
    pub stdin_limit: usize,
    /// When to ping a silent peer and when to give it up; default 30 s and 30 s.
    pub keep_alive: KeepAlive,
    /// From a connection to an answered request, on a listener of our own; default 10 s.
    pub handshake_timeout: Duration,
    /// Handshakes at once, on a listener of our own; default 256.
    pub max_handshakes: usize,
    /// How long a peer may take to answer a close; default 5 s.
    pub close_timeout: Duration,
}

impl ServerOptions {
    /// The defaults, for this path and container.
    ///
    /// # Errors
    ///
    /// Fails when `DOCKER_HOST` is set and not understood.
    pub fn new(path: impl Into<String>, container: impl Into<String>) -> Result<Self, ServerError> {
        Ok(Self::on(EngineHost::from_env()?, path, container))
    }

    /// The defaults, for this path and container of this engine.
    #[must_use]
    pub fn on(engine: EngineHost, path: impl Into<String>, container: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            container: container.into(),
            engine,
            engine_timeout: Duration::from_secs(30),
            max_sessions: 10,
            wrapper_command: Vec::new(),
            on_disconnect: OnDisconnect::Kill,
            kill_grace: Duration::from_secs(2),
            origins: Origins::Same,
            allow_remote: false,
            max_message_size: 16 << 20,
            stdin_limit: 1 << 20,
            keep_alive: KeepAlive::default(),
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 256,
            close_timeout: Duration::from_secs(5),
        }
    }

    /// Checks what can be checked without any I/O.
    pub(super) fn validate(&self) -> Result<(), ServerError> {
        let bad = |what: &str| Err(ServerError::Option(what.to_owned()));
        if !self.path.starts_with('/') {
            return bad("`path` must begin with a slash");
        }
        if self.path.contains(['?', '#']) {
            return bad("`path` must have no query and no fragment: no request would match it");
        }
        if self.container.is_empty() {
            return bad("the container must be named");
        }
        if self.max_message_size < 1024 {
            return bad("the message limit must be at least 1024 bytes");
        }
        if self.stdin_limit < 4096 {
            return bad("the stdin limit must be at least 4096 bytes");
        }
        if self.max_handshakes == 0 {
            return bad("the limit of handshakes must be at least 1");
        }
        if self.engine_timeout.is_zero() {
            return bad("the engine's timeout must not be zero");
        }
        Ok(self.engine_options().validate()?)
    }

    pub(super) fn engine_options(&self) -> EngineOptions {
        EngineOptions { call_timeout: self.engine_timeout, ..EngineOptions::default() }
    }
}
