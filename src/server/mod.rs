//! A server: one container on one path. It admits peers, owns their sessions, and ends them.

mod options;
mod sessions;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{io::AsyncWriteExt, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::{
    engine::EngineHost,
    session::SessionError,
    transport::{Handshake, KeepAlive, Origins, PeerStream, Refusal, TransportError},
};
use crate::{
    engine::{Engine, EngineError, Marker, ServerMark},
    lane,
    protocol::{ExecRequest, ServerMessage},
    session::{self, Leftover, OnDisconnect, SessionEnd, SessionOptions},
    transport::{HandshakeLimits, Listener, Peer, Route, close_code},
};
pub use options::ServerOptions;
pub use sessions::SessionInfo;
use sessions::{Sessions, Slot};

/// What a peer over the session limit is told; the words of version 3.0.0.
const TOO_MANY: &str = "Too many sessions active!";

/// Why a server cannot start, or what went wrong while it served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// An option cannot be used.
    #[error("{0}")]
    Option(String),
    /// The engine cannot be reached or has no such container.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The container is there but does not run.
    #[error("container {container} is not running: start it first")]
    NotRunning {
        /// As it was named in the options.
        container: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Host and port.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others than this machine would reach a server that nothing but its path protects.
    #[error(
        "not listening on {address}: others than this machine can reach it, and whoever knows the \
         path gets in; listen on a loopback address behind a proxy that asks who comes, or allow \
         it with `allowRemote` (`--allow-remote`)"
    )]
    Exposed {
        /// Host and port.
        address: String,
    },
    /// The server is closed, or is being closed.
    #[error("the server is closed: make a new one")]
    Closed,
    /// A session could not start or had to be cut short; its peer was told.
    #[error("session {id}: {source}")]
    Session {
        /// The session.
        id: u64,
        /// What failed.
        source: SessionError,
    },
    /// Processes of a session that has ended may still run.
    #[error("session {id}: {source}")]
    Leftover {
        /// The session.
        id: u64,
        /// What may be left, and why.
        source: Leftover,
    },
    /// The system gave no random bytes, which each session needs to mark its processes.
    #[error("no random bytes for the next session's mark: {0}")]
    NoRandom(#[source] std::io::Error),
}

impl ServerError {
    /// Stable name for programs, listed in docs/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Option(_) => "DEW_BAD_OPTION",
            Self::Engine(error) => error.code(),
            Self::NotRunning { .. } => "DEW_CONTAINER_NOT_RUNNING",
            Self::Listen { .. } => "DEW_LISTEN_FAILED",
            Self::Exposed { .. } => "DEW_LISTEN_EXPOSED",
            Self::Closed => "DEW_SERVER_CLOSED",
            Self::Session { source, .. } => source.code(),
            Self::Leftover { .. } => "DEW_PROCESSES_LEFT",
            Self::NoRandom(_) => "DEW_NO_RANDOM",
        }
    }
}

/// What a server tells its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A peer was admitted by the server's own listener.
    SessionAdded {
        /// The new session.
        session: SessionInfo,
        /// Sessions now.
        count: usize,
    },
    /// A session is over; its slot is free.
    SessionRemoved {
        /// The session.
        id: u64,
        /// Sessions now.
        count: usize,
    },
    /// The processes of a session that is over were ended, or are left as they are: nothing more
    /// happens for it. Whoever exits before that leaves them running.
    SessionSettled {
        /// The session.
        id: u64,
    },
    /// Something failed that concerns one session; the server goes on.
    Error(ServerError),
}

/// Takes a server's events. Called from the server's tasks: it must be quick and not block.
pub type ServerEvents = Arc<dyn Fn(ServerEvent) + Send + Sync>;

/// A server. Clones share it; it serves until [`Server::close`].
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    options: ServerOptions,
    engine: Engine,
    mark: ServerMark,
    events: ServerEvents,
    sessions: Sessions,
    tasks: TaskTracker,
    /// How many sessions that are over may wait for their peers at leisure.
    lingering: Semaphore,
    /// Ends the listener and the handshakes.
    stop: CancellationToken,
}

impl Server {
    /// Makes a server. No I/O happens yet.
    ///
    /// # Errors
    ///
    /// [`ServerError::Option`] for options that cannot be used.
    pub fn new(options: ServerOptions, events: ServerEvents) -> Result<Self, ServerError> {
        options.validate()?;
        Ok(Self(Arc::new(Shared {
            engine: Engine::new(options.engine.clone(), options.engine_options()),
            mark: ServerMark::current(),
            events,
            sessions: Sessions::new(options.max_sessions),
            tasks: TaskTracker::new(),
            lingering: Semaphore::new(options.max_sessions.min(Semaphore::MAX_PERMITS)),
            stop: CancellationToken::new(),
            options,
        })))
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &ServerOptions {
        &self.0.options
    }

    /// Checks that the engine answers and that the container runs. What a predecessor of this
    /// process that died left running in the container is ended on the way.
    ///
    /// # Errors
    ///
    /// The engine's, or [`ServerError::NotRunning`].
    pub async fn check(&self) -> Result<(), ServerError> {
        let shared = &self.0;
        let container = shared.engine.container(&shared.options.container).await?;
        if !container.running {
            let container = shared.options.container.clone();
            return Err(ServerError::NotRunning { container });
        }
        if shared.options.on_disconnect == OnDisconnect::Kill {
            let is_dead = |marker: &Marker| marker.server().is_dead();
            let grace = shared.options.kill_grace;
            // What cannot be reaped is no reason not to serve.
            let _ = shared.engine.reap(&container.id, is_dead, grace).await;
        }
        Ok(())
    }

    /// Listens on `host` and `port` (0 for any free one) and serves until [`Server::close`].
    ///
    /// # Errors
    ///
    /// [`ServerError::Listen`]; [`ServerError::Exposed`] for an address that others than this
    /// machine can reach, unless [`ServerOptions::allow_remote`] says so; [`ServerError::Closed`].
    pub async fn listen(&self, host: &str, port: u16) -> Result<SocketAddr, ServerError> {
        let asked = || format!("{host}:{port}");
        let failed = |source| ServerError::Listen { address: asked(), source };
        let shared = &self.0;
        let addresses = Listener::resolve(host, port).await.map_err(failed)?;
        let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
        if !shared.options.allow_remote && !addresses.iter().all(is_local) {
            return Err(ServerError::Exposed { address: asked() });
        }
        let listener = Listener::bind(&addresses).await.map_err(failed)?;
        let address = listener.address().map_err(failed)?;
        if shared.stop.is_cancelled() {
            return Err(ServerError::Closed);
        }
        let limits = HandshakeLimits {
            timeout: shared.options.handshake_timeout,
            concurrent: shared.options.max_handshakes,
        };
        let (tasks, stop) = (shared.tasks.clone(), shared.stop.clone());
        let route = Arc::new(self.clone());
        shared.tasks.spawn(listener.serve(route, limits, tasks, stop));
        Ok(address)
    }

    /// Why this request does not become a session here, if it does not.
    #[must_use]
    pub fn refusal(&self, request: &Handshake) -> Option<Refusal> {
        if request.path() != self.0.options.path {
            return Some(Refusal::not_found());
        }
        if self.0.stop.is_cancelled() {
            return Some(Refusal::closing());
        }
        request.refusal(&self.0.options.origins)
    }

    /// Takes the connection of a request that was not refused: writes the 101 and joins the
    /// peer to a new session. `head` holds bytes that came behind the request. Must be called
    /// within the runtime.
    ///
    /// Answers the session and the count of sessions; no [`ServerEvent::SessionAdded`] is sent
    /// for it. `None` if there is no room, or the server is being closed: the peer is told.
    pub fn accept(
        &self,
        mut stream: PeerStream,
        head: Bytes,
        request: &Handshake,
    ) -> Option<(SessionInfo, usize)> {
        let response = request.acceptance_http();
        let slot = self.admit(request);
        let admitted = slot.as_ref().map(|slot| (slot.info().clone(), slot.count()));
        let server = self.clone();
        let request = ExecRequest::from_query(request.query());
        self.0.tasks.spawn(async move {
            if stream.write_all(&response).await.is_ok() {
                return server.serve(stream, head, request, slot).await;
            }
            // The peer is gone; whoever was told of the session is told of its end.
            if let Some(slot) = slot {
                let id = slot.info().id;
                server.tell(ServerEvent::SessionRemoved { id, count: slot.free() });
                server.tell(ServerEvent::SessionSettled { id });
            }
        });
        admitted
    }

    fn admit(&self, request: &Handshake) -> Option<Slot> {
        let asked = ExecRequest::from_query(request.query());
        self.0.sessions.admit(|id| SessionInfo {
            id,
            command: self.command(asked.command),
            tty: asked.tty,
            remote_address: request.remote_address.clone(),
        })
    }

    fn command(&self, asked: Vec<String>) -> Vec<String> {
        self.0.options.wrapper_command.iter().cloned().chain(asked).collect()
    }

    /// Serves one open connection to its end.
    async fn serve(
        self,
        stream: PeerStream,
        head: Bytes,
        mut request: ExecRequest,
        slot: Option<Slot>,
    ) {
        let shared = &self.0;
        let options = &shared.options;
        let peer = Peer::server(stream, head, options.max_message_size, options.keep_alive);
        let Some(slot) = slot else {
            return turn_away(peer, TOO_MANY, options.close_timeout).await;
        };
        let id = slot.info().id;
        request.command = slot.info().command.clone();
        let kill = options.on_disconnect == OnDisconnect::Kill;
        let marker = match kill.then(|| Marker::new(&shared.mark)).transpose() {
            Ok(marker) => marker,
            Err(source) => {
                let error = ServerError::NoRandom(source);
                turn_away(peer, &error.to_string(), options.close_timeout).await;
                self.tell(ServerEvent::SessionRemoved { id, count: slot.free() });
                self.tell(ServerEvent::Error(error));
                return self.tell(ServerEvent::SessionSettled { id });
            }
        };
        let session = SessionOptions {
            container: options.container.clone(),
            request,
            marker,
            kill_grace: options.kill_grace,
            close_timeout: options.close_timeout,
            stdin_limit: options.stdin_limit,
        };
        let (end, aftermath) = lane::run(Box::pin(session::run(
            shared.engine.clone(),
            peer,
            session,
            slot.cancelled(),
        )))
        .await;
        let count = slot.free();
        self.tell(ServerEvent::SessionRemoved { id, count });
        if let SessionEnd::Failed(source) = end {
            self.tell(ServerEvent::Error(ServerError::Session { id, source }));
        }
        // Peers that take their time over the end of their output are bounded in number as well.
        let patience = shared.lingering.try_acquire();
        let hurry = match patience {
            Ok(_) => shared.stop.clone(),
            Err(_) => {
                let now = CancellationToken::new();
                now.cancel();
                now
            }
        };
        if let Err(source) = aftermath.finish(hurry).await {
            self.tell(ServerEvent::Error(ServerError::Leftover { id, source }));
        }
        self.tell(ServerEvent::SessionSettled { id });
    }

    fn tell(&self, event: ServerEvent) {
        (self.0.events)(event);
    }

    /// The sessions of now, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.0.sessions.list()
    }

    /// Ends one session as [`Server::close`] ends all. `false` if there is no such session.
    pub fn close_session(&self, id: u64) -> bool {
        self.0.sessions.cancel(id)
    }

    /// Stops listening, tells each peer `shutdown`, ends every command, and returns when all
    /// of that is done. May be called again.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.sessions.close();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// Tells a peer why there is no session for it.
async fn turn_away(peer: Peer, why: &str, limit: Duration) {
    let (mut sender, mut receiver) = peer.split();
    let telling = async {
        sender.send(ServerMessage::Error(why.to_owned().into()).encode()).await?;
        sender.close(close_code::TRY_AGAIN, why).await
    };
    if let Ok(Ok(())) = tokio::time::timeout(limit, telling).await {
        receiver.drain(limit).await;
    }
}

impl Route for Server {
    fn refusal(&self, request: &Handshake) -> Option<Refusal> {
        Self::refusal(self, request)
    }

    fn open(&self, stream: PeerStream, head: Bytes, request: Handshake) {
        let slot = self.admit(&request);
        if let Some(slot) = &slot {
            let (session, count) = (slot.info().clone(), slot.count());
            self.tell(ServerEvent::SessionAdded { session, count });
        }
        let asked = ExecRequest::from_query(request.query());
        self.0.tasks.spawn(self.clone().serve(stream, head, asked, slot));
    }
}
