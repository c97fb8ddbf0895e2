//! Processes as this machine sees them, where the engine runs on it too.
//!
//! Whether it does is not assumed from the engine's address: only a process that
//! carries the session's marker in our own `/proc` proves it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal as SystemSignal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::EndedBy;
use super::end::{Backend, Signal};
use super::scan::{self, read_process};
use super::tree::{Identity, Process};
use crate::engine::EngineError;

/// This machine's processes.
#[derive(Default)]
pub(super) struct Host {
    /// Handles that mean one process for good, whatever happens to its number.
    handles: HashMap<Identity, AsyncFd<OwnedFd>>,
    /// Whether a signal was refused for want of permission.
    pub(super) denied: bool,
}

impl Backend for Host {
    const KIND: EndedBy = EndedBy::Host;

    async fn look(&mut self) -> Result<Arc<[Process]>, EngineError> {
        Ok(scan::processes().await)
    }

    async fn signal(&mut self, to: &[Process], signal: Signal) -> Result<(), EngineError> {
        let signal = match signal {
            Signal::Hangup => SystemSignal::HUP,
            Signal::Terminate => SystemSignal::TERM,
            Signal::Continue => SystemSignal::CONT,
            Signal::Kill => SystemSignal::KILL,
        };
        for process in to {
            let sent = self.handle(process).map(|handle| pidfd_send_signal(handle, signal));
            self.denied |= sent == Some(Err(Errno::PERM));
        }
        Ok(())
    }

    async fn wait(
        &mut self,
        of: &[Process],
        deadline: Instant,
    ) -> Result<Vec<Process>, EngineError> {
        let mut left = Vec::new();
        for process in of {
            // A handle becomes readable when its process ends.
            if let Some(handle) = self.handle(process)
                && tokio::time::timeout_at(deadline, handle.readable()).await.is_err()
            {
                left.push(process.clone());
            }
        }
        Ok(left)
    }
}

impl Host {
    /// A handle to `process`; `None` if it is gone.
    fn handle(&mut self, process: &Process) -> Option<&AsyncFd<OwnedFd>> {
        let vacant = match self.handles.entry(process.identity()) {
            Entry::Occupied(known) => return Some(known.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let pid = Pid::from_raw(process.pid.try_into().ok()?)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The number may have come to mean another process before it was opened.
        let is_same = read_process(process.pid)?.identity() == process.identity();
        is_same.then(|| watch(handle)).flatten().map(|handle| &*vacant.insert(handle))
    }
}

/// A handle that can be waited for.
#[expect(unsafe_code, reason = "tokio has no safe way to wait for a descriptor of ours")]
fn watch(handle: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped, and
    // `AsyncFd` owns it: nobody can close it or put another in its place.
    unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }.ok()
}

/// Whether handles to processes exist here (Linux 5.3 and later).
pub(super) fn is_usable() -> bool {
    let own = Pid::from_raw(std::process::id().cast_signed());
    own.is_some_and(|own| pidfd_open(own, PidfdFlags::empty()).is_ok())
}

/// Whether this machine sees everything in the container whose main process is `pid`:
/// then a marker that is not found here is nowhere.
pub(super) fn sees_container(id: &str, pid: u32) -> bool {
    is_in_container(pid, id) && fs::read(format!("/proc/{pid}/environ")).is_ok()
}

/// Whether a process is in the control group of the container `id`.
pub(super) fn is_in_container(pid: u32, id: &str) -> bool {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    !id.is_empty() && groups.contains(id)
}
