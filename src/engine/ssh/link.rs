//! One connection to an ssh server: started, watched and ended by a thread of its own.
//!
//! ```text
//! Starting ──► Ready ──► Over(None)        nobody used it for a while, or the process ends
//!     │          └─────► Over(None)        ssh has ended; the next call makes a new link
//!     └────────────────► Over(Some(why))   everybody who waited for it gets the reason
//! ```
//!
//! The thread belongs to no runtime, so that a caller who stops waiting ends nothing that others
//! wait for.

mod start;

use std::io::Write;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::{Semaphore, watch};

use super::SshHost;
use super::error::{SshError, SshFailure};
use super::folder::Folder;
use super::process::{Process, thread};
use start::Connected;

/// How long no session is kept behind one that the server has refused. A server that allows few goes
/// on refusing; one that was only late to free those that had ended does not.
const TIGHT_FOR: Duration = Duration::from_secs(10);
/// How long `ssh` may take to end before it is killed.
const END_GRACE: Duration = Duration::from_secs(2);

/// A connection to an ssh server.
pub(super) struct Link {
    host: SshHost,
    state: watch::Sender<State>,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Sessions at once, where the server does not forward.
    pub(super) channels: Arc<Semaphore>,
}

/// How far it is.
#[derive(Clone)]
pub(super) enum State {
    Starting,
    Ready(Arc<Route>),
    Over(Option<SshError>),
}

/// How the engine is reached on a link that is ready.
pub(super) struct Route {
    pub(super) folder: Folder,
    /// Whether the folder's socket leads to the engine; otherwise each connection is a session.
    pub(super) forwards: bool,
}

struct Inner {
    /// Connections to the engine.
    uses: usize,
    used_at: Instant,
    /// Sessions that may be kept for a next request, when this one is done.
    kept: usize,
    /// When the server has refused a session last.
    refused_at: Option<Instant>,
    /// Nothing new is to begin.
    closing: bool,
    /// Nothing is left: neither processes nor files.
    gone: bool,
    master: Option<Process>,
}

/// Keeps a link up, and ends the session of a connection that is dropped.
pub(in crate::engine) struct Lease {
    link: Arc<Link>,
    session: Option<Process>,
    is_kept: bool,
}

impl Lease {
    /// Whether the connection is to be given up after its first use: others need its place.
    pub(in crate::engine) fn is_scarce(&self) -> bool {
        self.session.is_some() && !self.is_kept
    }

    /// Half of the sessions may be kept: a place has to be free for what takes long.
    pub(super) fn with_session(mut self, session: Process) -> Self {
        self.session = Some(session);
        let mut inner = self.link.inner();
        self.is_kept = !inner.is_tight(Instant::now())
            && inner.kept < self.link.host.options().channel_limit / 2;
        inner.kept += usize::from(self.is_kept);
        drop(inner);
        self
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({})", self.link.host)
    }
}

impl Inner {
    fn is_ending(&self) -> bool {
        self.closing || self.master.as_ref().is_some_and(|master| master.exited().is_some())
    }

    /// Whether sessions are so few that others need their places.
    fn is_tight(&self, now: Instant) -> bool {
        self.refused_at.is_some_and(|at| now.saturating_duration_since(at) < TIGHT_FOR)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.signal(Signal::TERM);
        }
        let mut inner = self.link.inner();
        inner.uses -= 1;
        inner.kept -= usize::from(self.is_kept);
        inner.used_at = Instant::now();
        if inner.uses == 0 {
            self.link.changed.notify_all();
        }
    }
}

impl Link {
    /// Starts to connect, `delay` from now. `settled` is told whether that succeeded.
    pub(super) fn start(
        host: &SshHost,
        delay: Duration,
        settled: impl FnOnce(bool) + Send + 'static,
    ) -> Arc<Self> {
        let link = Arc::new(Self {
            host: host.clone(),
            state: watch::Sender::new(State::Starting),
            inner: Mutex::new(Inner {
                uses: 0,
                used_at: Instant::now(),
                kept: 0,
                refused_at: None,
                closing: false,
                gone: false,
                master: None,
            }),
            changed: Condvar::new(),
            channels: Arc::new(Semaphore::new(host.options().channel_limit.max(1))),
        });
        let ours = Arc::clone(&link);
        if let Err(error) = thread("ssh-link", move || ours.run(delay, settled)) {
            link.over(Some(link.failed(&error.to_string())));
        }
        link
    }

    pub(super) fn host(&self) -> &SshHost {
        &self.host
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(*self.state.borrow(), State::Over(_))
    }

    /// Whether nothing is to begin on it any more: it is to end, or its `ssh` has ended, which the
    /// link may not have noticed yet.
    pub(super) fn is_ending(&self) -> bool {
        self.inner().is_ending()
    }

    /// Keeps the link up as long as what it gives is there; `None` if the link is ending.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut inner = self.inner();
        if inner.closing {
            return None;
        }
        inner.uses += 1;
        Some(Lease { link: Arc::clone(self), session: None, is_kept: false })
    }

    /// The server has no place for another session now: for a while none is kept.
    pub(super) fn note_refusal(&self) {
        self.inner().refused_at = Some(Instant::now());
    }

    /// Ends the link, whoever uses it.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        self.begin_end(&mut inner);
        if let Some(master) = &inner.master {
            master.signal(Signal::TERM);
        }
        self.changed.notify_all();
    }

    /// Waits until nothing is left of a link that is ending.
    pub(super) fn wait_over(&self, deadline: Instant) {
        let mut inner = self.inner();
        while !inner.gone {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            inner = self.wait(inner, left);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, limit: Duration) -> MutexGuard<'a, Inner> {
        self.changed.wait_timeout(inner, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    fn failed(&self, words: &str) -> SshError {
        SshError::new(SshFailure::Failed, &self.host, words)
    }

    /// From now on, who looks for a link finds another one.
    fn begin_end(&self, inner: &mut Inner) {
        inner.closing = true;
        self.state.send_if_modified(|state| {
            let was_ready = matches!(state, State::Ready(_));
            if was_ready {
                *state = State::Over(None);
            }
            was_ready
        });
    }

    /// Nothing is left; whoever still waits for the link gets `why`, or looks for another one.
    fn over(&self, why: Option<SshError>) {
        self.state.send_replace(State::Over(why));
        self.inner().gone = true;
        self.changed.notify_all();
    }

    fn run(self: Arc<Self>, delay: Duration, settled: impl FnOnce(bool)) {
        self.rest(delay);
        if self.inner().closing {
            self.over(None);
            return;
        }
        let started = self.connect();
        settled(started.is_ok());
        match started {
            Ok(Connected { master, guardian, route }) => {
                let route = Arc::new(route);
                let inner = self.inner();
                let state = if inner.closing {
                    State::Over(None)
                } else {
                    State::Ready(Arc::clone(&route))
                };
                self.state.send_replace(state);
                drop(inner);
                self.stay();
                self.end(&master, guardian);
                // What was connected through it keeps its own sockets.
                drop(route);
                self.over(None);
            }
            Err(error) => self.over(Some(error)),
        }
    }

    /// Waits for `delay`, or until a link that was ready is to end.
    pub(super) async fn pause(&self, delay: Duration) {
        let mut state = self.watch();
        let over = state.wait_for(|state| matches!(state, State::Over(_)));
        // That the time is up is what is hoped for.
        let _ = tokio::time::timeout(delay, over).await;
    }

    /// The same on a thread that may wait, before the link is ready, too.
    fn rest(&self, delay: Duration) {
        let deadline = Instant::now() + delay;
        let mut inner = self.inner();
        while !inner.is_ending() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            inner = self.wait(inner, left);
        }
    }

    /// Waits until `ssh` has ended or is to end.
    fn stay(&self) {
        let linger = self.host.options().linger;
        let mut inner = self.inner();
        inner.used_at = Instant::now();
        while !inner.is_ending() {
            let left = match inner.uses {
                0 => linger.saturating_sub(inner.used_at.elapsed()),
                _ => Duration::MAX,
            };
            if left.is_zero() {
                break;
            }
            inner = self.wait(inner, left);
        }
        self.begin_end(&mut inner);
    }

    fn end(&self, master: &Process, mut guardian: Child) {
        master.end(END_GRACE);
        let released = guardian.stdin.take().map(|mut lifeline| lifeline.write_all(b"\n"));
        if !matches!(released, Some(Ok(()))) {
            let _ = guardian.kill();
        }
        let _ = guardian.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::stdio::Retries;
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const REFUSED: &str = "Session open refused by peer\r\n";

    /// A link that is to connect in an hour.
    fn idle() -> Arc<Link> {
        let host = SshHost::parse("somewhere").unwrap();
        Link::start(&host, LONG, |_| ())
    }

    #[test]
    fn a_refused_session_is_tried_again_later_each_time() {
        let (link, mut retries) = (idle(), Retries::default());
        let mut next = || retries.after(&link, REFUSED).unwrap().as_millis();
        assert_eq!([(); 7].map(|()| next()), [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(retries.after(&link, "docker: command not found"), None);
        link.close();
        assert_eq!(retries.after(&link, REFUSED), None);
    }

    #[test]
    fn for_a_while_behind_a_refusal_no_session_is_kept() {
        let link = idle();
        let is_tight = |later| link.inner().is_tight(Instant::now() + later);
        assert!(!is_tight(Duration::ZERO));
        link.note_refusal();
        assert!(is_tight(TIGHT_FOR - Duration::from_secs(1)));
        assert!(!is_tight(TIGHT_FOR));
        link.close();
    }

    #[test]
    fn a_thread_that_rests_sees_at_once_that_the_link_is_to_end() {
        let link = idle();
        let (begun, ready) = std::sync::mpsc::channel();
        let resting = std::thread::spawn({
            let link = Arc::clone(&link);
            move || {
                begun.send(()).unwrap();
                link.rest(LONG);
            }
        });
        ready.recv().unwrap();
        link.close();
        resting.join().unwrap();
        assert!(link.is_ending());
    }

    #[tokio::test]
    async fn a_task_that_rests_sees_at_once_that_the_link_is_to_end() {
        let link = idle();
        let resting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.pause(LONG).await }
        });
        link.close();
        resting.await.unwrap();
    }

    #[test]
    fn a_thread_that_rests_sees_at_once_that_ssh_has_ended() {
        let link = idle();
        let ours = Arc::clone(&link);
        let on_exit = move || {
            drop(ours.inner());
            ours.changed.notify_all();
        };
        let mut command = std::process::Command::new("cat");
        command.stdin(std::process::Stdio::piped());
        let ended = Process::spawn(command, on_exit).unwrap();
        link.inner().master = Some(ended.clone());
        assert!(!link.is_ending());
        ended.signal(Signal::TERM);
        link.rest(LONG);
        assert!(link.is_ending());
        link.close();
    }
}
