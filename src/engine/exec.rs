//! One command in a container: create, start, inspect, end.

mod detach;
mod resize;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bollard::models::ExecConfig;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

pub(super) use detach::DETACH_TIMEOUT;
pub use resize::TerminalSize;

use resize::Sizes;

use super::demux::{Framing, OutputStream};
use super::error::EngineError;
use super::hijack::hijack;
use super::processes::{EndReport, ExecTarget, MARKER_VARIABLE, Marker};
use super::stream::ExecStream;
use super::{ApiVersion, Engine, EngineInfo, EngineKind, check_container, real_pid};

/// Keys that would take the peer off a TTY, in place of the engine's own Ctrl-P Ctrl-Q.
///
/// They cannot be turned off: an empty value means the default, and the engine holds
/// back whatever may be the beginning of them. So they begin with a key that hardly
/// anybody types (Ctrl-^), which alone would wait for the next key, and go on in a
/// way that nobody types.
const DETACH_KEYS: &str =
    "ctrl-^,ctrl-_,ctrl-^,ctrl-],ctrl-^,ctrl-_,ctrl-^,ctrl-],ctrl-^,ctrl-_,ctrl-^,ctrl-]";
/// From here on a TTY can have its size before the command starts.
const CONSOLE_SIZE_API: ApiVersion = ApiVersion { major: 1, minor: 42 };
/// How often the engine is asked whether a command that is to be ended has begun.
const START_POLL: Duration = Duration::from_millis(20);
const LONGEST_START_POLL: Duration = Duration::from_millis(320);

/// What to run, and how. The container's own settings apply to what is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments; no shell looks at them.
    pub command: Vec<String>,
    /// Whether the command gets a terminal. It then has one output, stdout.
    pub tty: bool,
    /// More environment, as `NAME=value`.
    pub env: Vec<String>,
    /// `name`, `uid`, `name:group` or `uid:gid`.
    pub user: Option<String>,
    /// Absolute path in the container.
    pub workdir: Option<String>,
    /// With all capabilities, whatever the container has.
    pub privileged: bool,
    /// The terminal's size at the start; without a TTY it means nothing.
    pub size: Option<TerminalSize>,
    /// Put into the environment, so that everything the command starts can be found.
    pub marker: Option<Marker>,
}

/// Whether a command runs, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecState {
    /// Whether its first process is alive. Its children may outlive it.
    pub running: bool,
    /// `None` until it has ended. 126 and 127 may be the engine's: it could not start.
    pub exit_code: Option<i64>,
    /// Its first process in the engine's pid namespace, from the start on.
    pub pid: Option<u32>,
}

/// One command in a container. Cloning is cheap, and gives a handle to the same command.
#[derive(Clone)]
pub struct Exec {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    info: Arc<EngineInfo>,
    id: String,
    container: String,
    tty: bool,
    size: Option<TerminalSize>,
    user: Option<String>,
    marker: Option<Marker>,
    /// Its first process, once the engine has named it; else 0.
    pid: AtomicU32,
    /// The container's whole id, once the engine has said it.
    container_id: OnceLock<String>,
    /// Given back once the command has started, or is known never to.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    started: AtomicBool,
    sizes: Sizes,
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exec({} in {})", self.id(), self.container_id())
    }
}

impl Engine {
    /// Prepares a command in a container; [`Exec::start`] runs it.
    ///
    /// Holds one of the [`start_limit`](super::EngineOptions::start_limit) places until
    /// the command is started, or the last handle to it is dropped.
    ///
    /// # Errors
    ///
    /// `NotFound` without such a container, `Conflict` if it is stopped or paused,
    /// `Busy` if no place came free in time. A command that does not exist is no
    /// error yet: it ends with exit code 126 or 127.
    pub async fn create_exec(&self, container: &str, spec: &ExecSpec) -> Result<Exec, EngineError> {
        check_container(container)?;
        let permit = self.start_permit().await?;
        let info = self.shared_info().await?;
        let config = exec_config(spec, info.api);
        let created = self
            .call("exec create", |docker| {
                let config = config.clone();
                async move { docker.create_exec(container, config).await }
            })
            .await;
        let created = match created {
            // podman says it with a 500.
            Err(EngineError::Refused { status: 500, message })
                if self.container(container).await.is_ok_and(|c| !c.running || c.paused) =>
            {
                return Err(EngineError::Conflict { message });
            }
            created => created?,
        };
        Ok(Exec {
            shared: Arc::new(Shared {
                engine: self.clone(),
                info,
                id: created.id,
                container: container.to_owned(),
                tty: spec.tty,
                size: spec.size.filter(|_| spec.tty),
                user: spec.user.clone(),
                marker: spec.marker.clone(),
                pid: AtomicU32::new(0),
                container_id: OnceLock::new(),
                permit: Mutex::new(Some(permit)),
                started: AtomicBool::new(false),
                sizes: Sizes::default(),
            }),
        })
    }
}

impl Engine {
    /// Runs a command without input to its end: stdout, stderr, exit code.
    ///
    /// For small things: all output is kept, at most `limit` bytes of it, and the
    /// whole may take one call's time.
    ///
    /// # Errors
    ///
    /// As [`create_exec`](Self::create_exec) and [`Exec::start`]; `OutputLimit`,
    /// `Unreachable` when it takes too long, `Lost` when the exit code is not to be had.
    /// The command may run on after an error.
    pub async fn run_to_end(
        &self,
        container: &str,
        spec: &ExecSpec,
        limit: usize,
    ) -> Result<(Vec<u8>, Vec<u8>, i64), EngineError> {
        let timeout = self.options().call_timeout;
        let run = async {
            let exec = self.create_exec(container, spec).await?;
            let ExecStream { mut input, mut output } = exec.start().await?;
            // A command that does not read its stdin need not get its end either.
            let _ = input.shutdown().await;
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            while let Some(chunk) = output.next().await? {
                if stdout.len() + stderr.len() + chunk.len() > limit {
                    return Err(EngineError::OutputLimit { limit });
                }
                match chunk.stream {
                    OutputStream::Stdout => stdout.extend_from_slice(chunk.as_slice()),
                    OutputStream::Stderr => stderr.extend_from_slice(chunk.as_slice()),
                }
            }
            match exec.state().await?.exit_code {
                Some(code) => Ok((stdout, stderr, code)),
                None => Err(EngineError::Lost {
                    host: self.host().clone(),
                    source: io::Error::new(io::ErrorKind::UnexpectedEof, "it has no exit code"),
                }),
            }
        };
        let late = |_| Err(EngineError::timed_out(self.host(), "a command", timeout));
        tokio::time::timeout(timeout, run).await.unwrap_or_else(late)
    }
}

fn exec_config(spec: &ExecSpec, api: ApiVersion) -> ExecConfig {
    let console_size = spec
        .size
        .filter(|_| spec.tty && api >= CONSOLE_SIZE_API)
        .map(|size| vec![size.rows.into(), size.cols.into()]);
    let marker = spec.marker.as_ref().map(|marker| format!("{MARKER_VARIABLE}={marker}"));
    let env: Vec<String> = spec.env.iter().cloned().chain(marker).collect();
    ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(spec.tty),
        detach_keys: spec.tty.then(|| DETACH_KEYS.to_owned()),
        console_size,
        env: (!env.is_empty()).then_some(env),
        cmd: Some(spec.command.clone()),
        privileged: spec.privileged.then_some(true),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
    }
}

impl Exec {
    /// The engine's id of this command.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Whether it has a terminal.
    pub fn tty(&self) -> bool {
        self.shared.tty
    }

    /// The container, as it was named at creation.
    pub fn container_id(&self) -> &str {
        &self.shared.container
    }

    /// Runs the command and joins its stdin, stdout and stderr. Once only.
    ///
    /// Returns when the engine has taken the start on; the command itself runs some
    /// 60 ms later. On an engine that cannot set the terminal's size beforehand, the
    /// stream sets it as soon as the command runs.
    ///
    /// # Errors
    ///
    /// `Conflict` if the container was stopped or paused meanwhile, `NotFound` if it
    /// was removed. `Conflict` too if the command was started before. After `Unreachable` and
    /// `Protocol` the command may run all the same.
    pub async fn start(&self) -> Result<ExecStream, EngineError> {
        if self.shared.started.swap(true, Ordering::AcqRel) {
            // dockerd would answer 101 and end the stream, as if the command had run again.
            return Err(EngineError::Conflict {
                message: format!("exec {} was started before", self.id()),
            });
        }
        let started = self.start_once().await;
        if started.as_ref().is_err_and(|error| !error.may_have_worked()) {
            self.shared.started.store(false, Ordering::Release);
        }
        started
    }

    async fn start_once(&self) -> Result<ExecStream, EngineError> {
        // Dropped at the end, however this ends.
        let _permit = lock(&self.shared.permit).take();
        let engine = &self.shared.engine;
        let options = engine.options();
        let path = format!("/v{}/exec/{}/start", engine.shared_info().await?.api, self.id());
        // Not the exec's own Tty: dockerd frames output exactly if this says false.
        let body = r#"{"Detach":false,"Tty":false}"#.to_owned();
        let start = hijack(engine.host(), options.connect_timeout, &path, body);
        let hijacked = match tokio::time::timeout(options.call_timeout, start).await {
            Err(_) => {
                Err(EngineError::timed_out(engine.host(), "exec start", options.call_timeout))
            }
            Ok(hijacked) => hijacked,
        };
        engine.note(&hijacked);
        let hijacked = hijacked?;
        // podman looks at the exec's own Tty instead, and does not say so.
        let framing = match self.shared.info.kind {
            EngineKind::Podman if self.tty() && !hijacked.says_framed => Framing::Raw,
            _ => Framing::Framed,
        };
        let late_size = self.shared.size.filter(|_| self.shared.info.api < CONSOLE_SIZE_API);
        let sizing = self.first_size(late_size);
        ExecStream::new(engine.shared.host.clone(), hijacked, framing, sizing)
    }

    /// Whether the command runs, and its exit code.
    ///
    /// # Errors
    ///
    /// `NotFound` if the engine knows nothing (any more) of the command: it was
    /// restarted, or the container removed. How the command ended is then lost.
    pub async fn state(&self) -> Result<ExecState, EngineError> {
        let engine = &self.shared.engine;
        let inspected = engine
            .call("exec inspect", |docker| async move { docker.inspect_exec(self.id()).await })
            .await?;
        let running = inspected.running.unwrap_or(false);
        // podman says 0 from the beginning.
        let over = !running && self.shared.started.load(Ordering::Acquire);
        let pid = inspected.pid.and_then(real_pid);
        if let Some(pid) = pid {
            self.shared.pid.store(pid, Ordering::Relaxed);
        }
        if let Some(id) = inspected.container_id {
            let _ = self.shared.container_id.set(id);
        }
        Ok(ExecState { running, exit_code: inspected.exit_code.filter(|_| over), pid })
    }

    /// Waits until the engine says that the command has ended, whoever still holds its
    /// output. Cancel-safe.
    ///
    /// Never returns while the engine cannot be asked, nor when it has lost track of
    /// the command (a restart): the output's end tells that. dockerd may take two
    /// seconds to say it of a command whose output is still held by a child.
    pub async fn exited(&self) {
        let shared = &self.shared.engine.shared;
        let mut waiting = shared.events.wait_for(
            &shared.calls,
            self.shared.info.api,
            self.id(),
            self.container_id(),
        );
        loop {
            if waiting.news().await.ended {
                return;
            }
            let started = self.shared.started.load(Ordering::Acquire);
            if started && self.state().await.is_ok_and(|state| state.exit_code.is_some()) {
                return;
            }
        }
    }

    /// What [`Engine::end_processes`] needs to know; `None` without a marker.
    pub fn target(&self) -> Option<ExecTarget> {
        Some(ExecTarget {
            container: self
                .shared
                .container_id
                .get()
                .map_or(self.container_id(), |id| id)
                .to_owned(),
            marker: self.shared.marker.clone()?,
            pid: Some(self.shared.pid.load(Ordering::Relaxed)).filter(|&pid| pid != 0),
            user: self.shared.user.clone(),
        })
    }

    /// Ends the command and everything that it started, as
    /// [`Engine::end_processes`] does; also one that is just being started.
    ///
    /// Does nothing without a marker in the [`ExecSpec`], or if it was never started.
    ///
    /// # Errors
    ///
    /// When the engine could not be asked.
    pub async fn end_processes(&self, grace: Duration) -> Result<EndReport, EngineError> {
        if !self.shared.started.load(Ordering::Acquire) {
            return Ok(EndReport::NOTHING);
        }
        // A command that the engine has not come to yet has no process to be found.
        let deadline = Instant::now() + self.shared.engine.options().call_timeout;
        let mut wait = START_POLL;
        loop {
            match self.state().await {
                // dockerd says 101 to a start before it knows of it itself.
                Ok(state)
                    if state.pid.is_none()
                        && state.exit_code.is_none()
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(wait).await;
                    wait = LONGEST_START_POLL.min(wait * 2);
                }
                // An engine that cannot be asked is not needed where its processes can be seen.
                Ok(_) | Err(_) => break,
            }
        }
        match self.target() {
            Some(target) => self.shared.engine.end_processes(&target, grace).await,
            None => Ok(EndReport::NOTHING),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
