//! Child processes with a thread each that waits for them.
//!
//! Neither tokio nor the standard library can be asked to do that here: the first would take
//! the process's handler of SIGCHLD, which is Node's, and the second lets nobody signal a
//! process that somebody else waits for.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::error::MAX_SAID;

/// How long the last words of a process that has ended are waited for: what it has started may
/// hold its stderr.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Threads here do little: memory for each, in bytes.
pub(super) const STACK: usize = 128 * 1024;

/// A child process. It is not ended when this is dropped.
#[derive(Clone)]
pub(super) struct Process {
    pid: Pid,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    exited: Option<ExitStatus>,
    /// The end of what it has written to stderr.
    said: Vec<u8>,
    is_silent: bool,
}

impl Process {
    /// Starts `command` in a process group of its own, so that Ctrl-C in a terminal is our
    /// program's to handle. `on_exit` is called when it has ended, in a thread.
    pub(super) fn spawn(
        mut command: Command,
        on_exit: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        // Questions would be asked on the terminal by an ssh that ours starts for a jump.
        command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
        let mut child = command.process_group(0).stderr(Stdio::piped()).spawn()?;
        // What stands for our ends of its streams must not stay open here.
        drop(command);
        let stderr = child.stderr.take();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let process = Self { pid: Pid::from_child(&child), shared: Arc::clone(&shared) };
        let listener = Arc::clone(&shared);
        let listening =
            thread("ssh-words", move || stderr.map_or((), |from| listener.listen(from)));
        let waiting = thread("ssh-wait", move || {
            shared.collect(child);
            on_exit();
        });
        if let Err(error) = listening.and(waiting) {
            process.signal(Signal::KILL);
            return Err(error);
        }
        Ok(process)
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal, unless the process is gone.
    pub(super) fn signal(&self, signal: Signal) {
        let state = self.shared.state();
        // It is collected under the same lock: its number is not another's before.
        if state.exited.is_none() {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    pub(super) fn exited(&self) -> Option<ExitStatus> {
        self.shared.state().exited
    }

    /// Waits for the end; `None` if it is not there by `deadline`.
    pub(super) fn wait_until(&self, deadline: Instant) -> Option<ExitStatus> {
        let mut state = self.shared.state();
        while state.exited.is_none() {
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.wait(state, left);
        }
        state.exited
    }

    /// Ends the process: by TERM, and by KILL if it has not gone `grace` later.
    pub(super) fn end(&self, grace: Duration) {
        self.signal(Signal::TERM);
        if self.wait_until(Instant::now() + grace).is_none() {
            self.signal(Signal::KILL);
        }
    }

    /// What it has said; after its end, all of it.
    pub(super) fn said(&self) -> String {
        let deadline = Instant::now() + LAST_WORDS;
        let mut state = self.shared.state();
        while state.exited.is_some() && !state.is_silent {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            state = self.shared.wait(state, left);
        }
        String::from_utf8_lossy(&state.said).into_owned()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Keeps the end of what comes from `stderr`.
    fn listen(&self, mut stderr: impl Read) {
        let mut buffer = [0; 1024];
        loop {
            let count = match stderr.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let mut state = self.state();
            state.said.extend_from_slice(&buffer[..count]);
            let surplus = state.said.len().saturating_sub(MAX_SAID);
            state.said.drain(..surplus);
        }
        self.state().is_silent = true;
        self.changed.notify_all();
    }

    /// Waits until `child` has ended, and collects it.
    fn collect(&self, mut child: Child) {
        let (id, options) =
            (Pid::from_child(&child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let waited = || rustix::process::waitid(WaitId::Pid(id), options);
        while matches!(waited(), Err(rustix::io::Errno::INTR)) {}
        let mut state = self.state();
        let lost = |_| ExitStatus::from_raw(0);
        state.exited = Some(child.wait().unwrap_or_else(lost));
        drop(state);
        self.changed.notify_all();
    }
}

/// Starts a thread of ours.
pub(super) fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work).map(drop)
}
