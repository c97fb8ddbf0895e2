//! One Docker-compatible engine: the only place that names bollard or hyper's client.
//!
//! ```text
//! Engine ── calls.rs ──── typed calls (bollard) ──┐
//!   │                                             ├── connect.rs ── unix socket, TCP, ssh/
//!   └─ Exec ── hijack.rs ─ HTTP up to the 101 ────┘
//!        ├─ ExecStream: ExecInput, ExecOutput (demux.rs splits, `pace` times the reads)
//!        ├─ events.rs: the engine tells that a command has ended
//!        └─ processes/: ends what a command has started
//!
//! Requests ── request/ ── any request, as its caller words it; what the Docker API is made of
//!   └─ BuildSession ── buildkit/ ── what a build may ask for
//! ```
//!
//! An [`Engine`] holds no state of the engine but its version, and that only until a
//! call fails: an engine may be restarted or replaced under a running server.

mod buildkit;
mod calls;
mod connect;
mod demux;
mod error;
mod events;
mod exec;
mod hijack;
mod host;
#[cfg_attr(unix, path = "local/unix.rs")]
#[cfg_attr(windows, path = "local/windows.rs")]
mod local;
mod processes;
mod request;
mod ssh;
mod stream;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use buildkit::{BuildOffer, BuildOpening, BuildQuestion, BuildSession, Credentials, SshAgent};
pub use demux::{Chunk, Demux, Framing, MAX_CHUNK, OutputStream, UnknownStream};
pub use error::EngineError;
pub use exec::{Exec, ExecSpec, ExecState, TerminalSize};
pub use host::EngineHost;
pub use processes::{
    EndReport, EndedBy, ExecTarget, InvalidMarker, Left, MARKER_VARIABLE, Marker, ServerMark,
};
pub use request::{
    Content, EngineRequest, EngineResponse, Exchange, HijackedInput, HijackedOutput, RequestBody,
    RequestError, Requests, ResponseBody, Secure, SocketOutput, StreamOutput, WholeAnswer,
};
pub use ssh::{PrivateKey, SshError, SshFailure, SshHost, SshOptions, close_ssh};
pub use stream::{ExecInput, ExecOutput, ExecStream};

use calls::Calls;
use events::Events;

/// How long an engine may take, and how much is asked of it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// For each call, from asking to the last byte of the answer. Default 30 s.
    pub call_timeout: Duration,
    /// For making a connection; it counts towards the call's time too. Default 10 s.
    pub connect_timeout: Duration,
    /// Commands that may be between "created" and "started" at the same time; the
    /// others wait. An engine starts 15-20 commands a second whatever is asked of it,
    /// and a heap of them takes the time from those that run. Default 16.
    pub start_limit: usize,
    /// Whether processes are looked for, and signalled, on this machine before a shell
    /// in the container is asked. It is quicker, needs no shell, and finds more; it
    /// does nothing where the engine is elsewhere. Default true.
    pub host_processes: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            start_limit: 16,
            host_processes: true,
        }
    }
}

impl EngineOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// `InvalidOption`, naming the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        let invalid = |name, reason| Err(EngineError::InvalidOption { name, reason });
        if self.call_timeout.is_zero() {
            return invalid("call_timeout", "has to be longer than 0");
        }
        if self.connect_timeout.is_zero() {
            return invalid("connect_timeout", "has to be longer than 0");
        }
        if !(1..=Semaphore::MAX_PERMITS).contains(&self.start_limit) {
            return invalid("start_limit", "has to be at least 1");
        }
        Ok(())
    }
}

/// What kind of engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// dockerd, or something that behaves like it.
    Docker,
    /// podman's Docker-compatible API.
    Podman,
}

/// A version of the engine's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// 1, as long as anyone can remember.
    pub major: u32,
    /// 41 for Docker Engine 20.10.
    pub minor: u32,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl ApiVersion {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// What an engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// Whose behaviour to expect.
    pub kind: EngineKind,
    /// The API version for our calls: the engine's own, or ours if that is older.
    pub api: ApiVersion,
    /// The engine's release, such as `20.10.24`.
    pub version: String,
}

/// A container, as far as a command in it is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    /// The full id; unlike the name it never comes to mean another container.
    pub id: String,
    /// Whether its main process runs (also while it is paused).
    pub running: bool,
    /// Whether its processes are frozen.
    pub paused: bool,
    /// Its main process, in the engine's pid namespace.
    pub pid: Option<u32>,
}

/// Our handle to one engine. Cloning is cheap; nothing is sent before the first call.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    host: Arc<EngineHost>,
    options: EngineOptions,
    calls: Calls,
    starts: Arc<Semaphore>,
    events: Events,
    /// What `/version` said, until a call fails to reach the engine.
    info: Mutex<Option<Arc<EngineInfo>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.shared.host)
    }
}

impl Engine {
    /// A handle to the engine at `host`; does no I/O. `options` should be
    /// [validated](EngineOptions::validate) before.
    pub fn new(host: EngineHost, mut options: EngineOptions) -> Self {
        // Another machine's process may have the number of one of ours.
        options.host_processes &= !matches!(host, EngineHost::Ssh(_));
        let host = Arc::new(host);
        let calls = Calls::new(Arc::clone(&host), options.call_timeout, options.connect_timeout);
        let permits = options.start_limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                host,
                calls,
                starts: Arc::new(Semaphore::new(permits)),
                events: Events::default(),
                info: Mutex::new(None),
                options,
            }),
        }
    }

    /// Where the engine is.
    pub fn host(&self) -> &EngineHost {
        &self.shared.host
    }

    /// The limits that this handle was made with.
    pub fn options(&self) -> &EngineOptions {
        &self.shared.options
    }

    /// What the engine says about itself; asked once, and again after it was away.
    ///
    /// # Errors
    ///
    /// `Unreachable`, or `Protocol` if what answers is no engine.
    pub async fn info(&self) -> Result<EngineInfo, EngineError> {
        Ok((*self.shared_info().await?).clone())
    }

    async fn shared_info(&self) -> Result<Arc<EngineInfo>, EngineError> {
        if let Some(info) = &*self.cached_info() {
            return Ok(Arc::clone(info));
        }
        let asked =
            self.shared.calls.call(None, "version", |docker| async move { docker.version().await });
        let version = asked.await?;
        let Some(theirs) = version.api_version.as_deref().and_then(ApiVersion::parse) else {
            return Err(EngineError::Protocol {
                host: self.host().clone(),
                what: "its version answer names no API version".to_owned(),
            });
        };
        let ours = ApiVersion {
            major: bollard::API_DEFAULT_VERSION.major_version as u32,
            minor: bollard::API_DEFAULT_VERSION.minor_version as u32,
        };
        let podman = version
            .components
            .iter()
            .flatten()
            .any(|component| component.name.starts_with("Podman"));
        let info = Arc::new(EngineInfo {
            kind: if podman { EngineKind::Podman } else { EngineKind::Docker },
            api: theirs.min(ours),
            version: version.version.unwrap_or_default(),
        });
        *self.cached_info() = Some(Arc::clone(&info));
        Ok(info)
    }

    fn cached_info(&self) -> std::sync::MutexGuard<'_, Option<Arc<EngineInfo>>> {
        self.shared.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the container `name` (a name, an id, or the beginning of an id).
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; `InvalidContainer` if there can be none.
    pub async fn container(&self, name: &str) -> Result<ContainerInfo, EngineError> {
        check_container(name)?;
        let inspected = self
            .call("container inspect", |docker| async move {
                docker.inspect_container(name, None).await
            })
            .await?;
        let state = inspected.state.unwrap_or_default();
        Ok(ContainerInfo {
            id: inspected.id.unwrap_or_else(|| name.to_owned()),
            running: state.running.unwrap_or(false),
            paused: state.paused.unwrap_or(false),
            pid: state.pid.and_then(real_pid),
        })
    }

    /// Makes a typed call in the engine's version of the API.
    async fn call<T, F>(
        &self,
        what: &str,
        make: impl Fn(bollard::Docker) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, bollard::errors::Error>>,
    {
        let api = self.shared_info().await?.api;
        let result = self.shared.calls.call(Some(api), what, &make).await;
        if !self.note(&result) {
            return result;
        }
        let api = self.shared_info().await?.api;
        self.shared.calls.call(Some(api), what, make).await
    }

    /// Forgets the engine's version when another engine may have come in its place:
    /// when it was away, and when it refuses our version. True for the latter: the call
    /// was not made, and may be made again.
    fn note<T>(&self, result: &Result<T, EngineError>) -> bool {
        let other_version = matches!(result, Err(EngineError::Refused { status: 400, message })
            if message.contains("client version"));
        let away = matches!(result, Err(EngineError::Unreachable { .. } | EngineError::Ssh(_)));
        if other_version || away {
            *self.cached_info() = None;
        }
        other_version
    }

    /// A place among the commands that are being started.
    async fn start_permit(&self) -> Result<OwnedSemaphorePermit, EngineError> {
        let permit = Arc::clone(&self.shared.starts).acquire_owned();
        match tokio::time::timeout(self.shared.options.call_timeout, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(EngineError::Busy { limit: self.shared.options.start_limit }),
        }
    }
}

/// Refuses what could mean another path of the engine's API.
fn check_container(name: &str) -> Result<(), EngineError> {
    let first = |c: char| c.is_ascii_alphanumeric();
    let later = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.starts_with(first) && name.chars().all(later) && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(EngineError::InvalidContainer { name: name.chars().take(MAX_NAME).collect() })
}

/// The longest container name that is passed on; engines set no limit themselves.
const MAX_NAME: usize = 255;

/// Engines say 0 for "no process".
fn real_pid(pid: i64) -> Option<u32> {
    u32::try_from(pid).ok().filter(|&pid| pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s21_names_that_could_change_the_path_are_refused() {
        for name in ["", "a/b", "../images/json?x=", "a%2fb", "-a", ".a", "a b", "ä", "a\n"] {
            let error = check_container(name).unwrap_err();
            assert_eq!(error.code(), "DEW_CONTAINER_INVALID", "{name:?}");
        }
        for name in ["web", "web-1", "a.b_c", "0f3"] {
            check_container(name).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s31_no_more_commands_start_at_once_than_there_are_places() {
        let limited = EngineOptions { start_limit: 2, ..EngineOptions::default() };
        let engine = Engine::new(EngineHost::default(), limited);
        let _first = engine.start_permit().await.unwrap();
        let second = engine.start_permit().await.unwrap();
        assert_eq!(engine.start_permit().await.unwrap_err().code(), "DEW_ENGINE_BUSY");
        drop(second);
        drop(engine.start_permit().await.unwrap());
    }

    #[test]
    fn options_are_checked_by_name() {
        EngineOptions::default().validate().unwrap();
        let zero = EngineOptions { start_limit: 0, ..EngineOptions::default() };
        let text = zero.validate().unwrap_err().to_string();
        assert_eq!(text, "engine option start_limit has to be at least 1");
    }

    #[test]
    fn api_versions_compare_as_numbers() {
        let version = |text| ApiVersion::parse(text).unwrap();
        assert!(version("1.9") < version("1.41"));
        assert_eq!(version("1.41").to_string(), "1.41");
        assert_eq!(ApiVersion::parse("1"), None);
    }
}
