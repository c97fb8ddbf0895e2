//! Ending what a session started: an engine can start a command, and has no call to
//! end one. Dropping the connection leaves it running.
//!
//! ```text
//! marker.rs   a value in the command's environment that its descendants inherit
//! tree.rs     which processes belong to it: marker, descent, session; pure
//! end.rs      which signals, in which order, over one of two backends:
//! host.rs     our own /proc and process handles, if the engine is on this machine
//! scan.rs     looks at /proc, shared by the sessions that end at the same moment
//! helper.rs   a shell in the container, if not
//! ```

mod end;
mod helper;
#[cfg(target_os = "linux")]
mod host;
mod marker;
#[cfg(target_os = "linux")]
mod scan;
mod tree;

use std::time::Duration;

pub use marker::{InvalidMarker, MARKER_VARIABLE, Marker, ServerMark};

use super::{ContainerInfo, Engine, EngineError};
use end::end;
use helper::Helper;
use tree::Process;

/// A command whose processes are to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecTarget {
    /// The container that it runs in; only by its whole id are processes recognised that do not
    /// carry the marker.
    pub container: String,
    /// What its environment carries.
    pub marker: Marker,
    /// Its first process, if the engine said so; it need not live any more.
    pub pid: Option<u32>,
    /// The user that it runs as, as in [`ExecSpec`](super::ExecSpec): a helper in the
    /// container has to be the same one to see its environment.
    pub user: Option<String>,
}

/// What has become of a command's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndReport {
    /// Processes that were there and are gone.
    pub ended: usize,
    /// What is still there.
    pub left: Left,
    /// Who ended them.
    pub by: EndedBy,
}

/// What is left of a command's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// None.
    Nothing,
    /// So many; they were sent KILL. In a paused container they go when it goes on.
    Processes(usize),
    /// Nobody can tell; the text says why.
    Unknown(String),
}

/// Who saw a command's processes, and signalled them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Nobody: there were none, or nobody could.
    Nobody,
    /// This process: the engine runs on this machine.
    Host,
    /// A shell in the container.
    Helper,
}

impl EndReport {
    pub(super) const NOTHING: Self = Self { ended: 0, left: Left::Nothing, by: EndedBy::Nobody };

    fn unknown(why: &str) -> Self {
        Self { ended: 0, left: Left::Unknown(why.to_owned()), by: EndedBy::Nobody }
    }
}

impl Engine {
    /// Ends a command and everything that it started: the processes with its marker,
    /// their descendants, and who shares a session (`setsid`) with them.
    ///
    /// They get HUP or TERM first, and KILL after `grace`. Takes at most `grace`, two
    /// seconds more for the killed ones, and the engine's calls if the engine is elsewhere.
    /// Missed is who cleared the environment, began a session of its own, and lost its
    /// parent, all that before this call.
    ///
    /// # Errors
    ///
    /// When the engine could not be asked. What could be asked and not ended is no
    /// error: the report says so.
    pub async fn end_processes(
        &self,
        target: &ExecTarget,
        grace: Duration,
    ) -> Result<EndReport, EngineError> {
        let is_root = |process: &Process| process.marker.as_ref() == Some(&target.marker);
        self.end_where(target, is_root, grace).await
    }

    /// Ends what servers that are gone have left in `container`: the processes whose
    /// marker `is_dead` says so of, as [`end_processes`](Self::end_processes) does.
    /// From inside the container only those of its default user are seen.
    ///
    /// # Errors
    ///
    /// As for `end_processes`.
    pub async fn reap(
        &self,
        container: &str,
        is_dead: impl Fn(&Marker) -> bool,
        grace: Duration,
    ) -> Result<EndReport, EngineError> {
        let container = match self.container_to_end(container).await? {
            Ok(container) => container,
            Err(report) => return Ok(report),
        };
        let is_root = |process: &Process| process.marker.as_ref().is_some_and(&is_dead);
        #[cfg(target_os = "linux")]
        if self.sees(&container) {
            let ours = |process: &Process| {
                is_root(process) && host::is_in_container(process.pid, &container.id)
            };
            return end(&mut host::Host::default(), ours, grace).await;
        }
        self.end_inside(&container, None, is_root, grace).await
    }

    async fn end_where(
        &self,
        target: &ExecTarget,
        is_root: impl Fn(&Process) -> bool,
        grace: Duration,
    ) -> Result<EndReport, EngineError> {
        #[cfg(target_os = "linux")]
        let on_host = match self.options().host_processes && host::is_usable() {
            true => end_on_host(target, &is_root, grace).await?,
            false => None,
        };
        #[cfg(target_os = "linux")]
        if let Some(report) = &on_host
            && report.left == Left::Nothing
        {
            return Ok(report.clone());
        }
        let container = match self.container_to_end(&target.container).await? {
            Ok(container) => container,
            Err(report) => return Ok(report),
        };
        #[cfg(target_os = "linux")]
        {
            if let Some(report) = on_host {
                return Ok(report);
            }
            if self.sees(&container) {
                return Ok(EndReport::NOTHING);
            }
        }
        self.end_inside(&container, target.user.as_deref(), is_root, grace).await
    }

    /// Whether this machine sees all of the container's processes, and may end them.
    #[cfg(target_os = "linux")]
    fn sees(&self, container: &ContainerInfo) -> bool {
        let seen = |pid| host::is_usable() && host::sees_container(&container.id, pid);
        self.options().host_processes && container.pid.is_some_and(seen)
    }

    /// The container, or the report if there can be nothing to end in it.
    async fn container_to_end(
        &self,
        name: &str,
    ) -> Result<Result<ContainerInfo, EndReport>, EngineError> {
        match self.container(name).await {
            Ok(container) if container.running => Ok(Ok(container)),
            Ok(_) | Err(EngineError::NotFound { .. }) => Ok(Err(EndReport::NOTHING)),
            Err(error) => Err(error),
        }
    }

    /// Ends processes by a shell in the container.
    async fn end_inside(
        &self,
        container: &ContainerInfo,
        user: Option<&str>,
        is_root: impl Fn(&Process) -> bool,
        grace: Duration,
    ) -> Result<EndReport, EngineError> {
        if container.paused {
            return Ok(EndReport::unknown("the container is paused"));
        }
        let ended = async {
            match Helper::start(self, &container.id, user).await? {
                Some(mut helper) => {
                    let report = end(&mut helper, is_root, grace).await;
                    helper.finish().await;
                    report
                }
                None => Ok(EndReport::unknown("the container has no shell to end them with")),
            }
        };
        match ended.await {
            // The container was paused, stopped or removed under the helper.
            Err(EngineError::Conflict { message }) => Ok(EndReport::unknown(&message)),
            Err(EngineError::NotFound { .. }) => Ok(EndReport::NOTHING),
            other => other,
        }
    }
}

/// Ends processes that this machine sees; `None` if it sees none of them, or may not.
#[cfg(target_os = "linux")]
async fn end_on_host(
    target: &ExecTarget,
    is_root: impl Fn(&Process) -> bool,
    grace: Duration,
) -> Result<Option<EndReport>, EngineError> {
    // Once the command is gone, its session's number belongs to those who stayed in it.
    let leader_is_gone =
        target.pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists());
    let stayed = |process: &Process| {
        leader_is_gone
            && Some(process.session) == target.pid
            && process.marker.is_none()
            && host::is_in_container(process.pid, &target.container)
    };
    // The command itself, also while it is still the runtime that is about to become it, or
    // after it has become something with a clean environment.
    let leads = |process: &Process| {
        Some(process.pid) == target.pid && host::is_in_container(process.pid, &target.container)
    };
    let ours = |process: &Process| is_root(process) || leads(process) || stayed(process);
    let mut host = host::Host::default();
    let report = end(&mut host, ours, grace).await?;
    Ok((report.by == EndedBy::Host && !host.denied).then_some(report))
}
