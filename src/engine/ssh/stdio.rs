//! Connections to the engine where the server forwards no sockets: a session each, in which the
//! docker command at the other end joins its stdin and stdout to the engine.
//!
//! A server allows few sessions on one connection, and frees them late: who finds none free waits
//! for a place, and who is refused tries again.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::commands::{self, GREETING};
use super::error::{SshError, SshFailure};
use super::link::{Lease, Link, Route};
use super::process::Process;
use crate::engine::connect::Demand;

/// Waits between attempts to open a session that the server refuses: first, and longest.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// How long a session that has closed its output may take to end.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// What a user's shell may print before our own command does.
const MAX_PROLOGUE: usize = 64 * 1024;

/// Starts `command` with a socket as its stdin and stdout.
pub(super) fn spawn(
    mut command: Command,
    on_exit: impl FnOnce() + Send + 'static,
) -> io::Result<(UnixStream, Process)> {
    let (ours, theirs) = UnixStream::pair()?;
    let stdout = OwnedFd::from(theirs.try_clone()?);
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::from(stdout));
    Ok((ours, Process::spawn(command, on_exit)?))
}

/// Reads up to the end of the greeting, on a thread that may wait.
pub(super) fn greeted(mut socket: &UnixStream, deadline: Instant) -> bool {
    let mut prologue = Vec::new();
    let mut byte = [0];
    while !prologue.ends_with(GREETING) && prologue.len() < MAX_PROLOGUE {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        if socket.read_exact(&mut byte).is_err() {
            return false;
        }
        prologue.push(byte[0]);
    }
    prologue.ends_with(GREETING)
}

/// When a session that did not come about is tried again: where the server had no place for it, later
/// each time. For the session that a link is tried with, and for all that follow.
pub(super) struct Retries {
    rest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { rest: FIRST_RETRY }
    }
}

impl Retries {
    /// How long to rest after an attempt that ended with `words`, or until `link` is to end; `None` if
    /// there is to be no other.
    pub(super) fn after(&mut self, link: &Link, words: &str) -> Option<Duration> {
        let refused = ["refused by peer", "open failed", "request failed"];
        if link.is_ending() || !refused.iter().any(|some| words.contains(some)) {
            return None;
        }
        let rest = self.rest;
        self.rest = (rest * 2).min(LONGEST_RETRY);
        Some(rest)
    }
}

/// What came of an attempt to open a session.
enum Opened {
    Yes(tokio::net::UnixStream, Process),
    /// It ended; its words.
    No(String),
}

/// Opens a connection to the engine, waiting for a place among the link's sessions.
///
/// `None` if the link is over.
pub(super) async fn open(
    link: &Arc<Link>,
    route: &Route,
    lease: Lease,
    demand: Option<&Demand>,
) -> Result<Option<(tokio::net::UnixStream, Lease)>, SshError> {
    let error = |kind, words: &str| SshError::new(kind, link.host(), words);
    let opening = async {
        let Ok(permit) = Arc::clone(&link.channels).acquire_owned().await else { return Ok(None) };
        // It goes to the session, whose end gives it back; between attempts it is with us.
        let permit = Arc::new(permit);
        let mut retries = Retries::default();
        while !link.is_ending() {
            if demand.is_some_and(|demand| !demand.is_any()) {
                return Err(error(SshFailure::Busy, "nobody waits for it any more"));
            }
            let held = Arc::clone(&permit);
            let attempt = attempt(commands::dial(link.host(), &route.folder), move || drop(held));
            match attempt.await.map_err(|failed| error(SshFailure::Failed, &failed.to_string()))? {
                Opened::Yes(socket, session) => return Ok(Some((socket, session))),
                Opened::No(words) => match retries.after(link, &words) {
                    Some(rest) => {
                        link.note_refusal();
                        link.pause(rest).await;
                    }
                    None if link.is_ending() => break,
                    None => return Err(error(SshFailure::EngineSilent, &words)),
                },
            }
        }
        Ok(None)
    };
    let limit = link.host().options().queue_timeout;
    let opened = tokio::time::timeout(limit, opening).await;
    let opened = opened.map_err(|_| error(SshFailure::Busy, ""))??;
    Ok(opened.map(|(socket, session)| (socket, lease.with_session(session))))
}

async fn attempt(command: Command, on_exit: impl FnOnce() + Send + 'static) -> io::Result<Opened> {
    let (socket, session) = spawn(command, on_exit)?;
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::UnixStream::from_std(socket)?;
    let mut given_up = EndOnDrop(Some(session.clone()));
    let mut prologue = Vec::new();
    while !prologue.ends_with(GREETING) {
        // The engine says nothing before it is asked: nothing of its comes with the greeting.
        let count = socket.read_buf(&mut prologue).await.unwrap_or(0);
        if count == 0 || prologue.len() > MAX_PROLOGUE {
            session.signal(rustix::process::Signal::TERM);
            return Ok(Opened::No(tokio::task::spawn_blocking(move || words(&session)).await?));
        }
    }
    given_up.0 = None;
    Ok(Opened::Yes(socket, session))
}

/// The last words of a session that has closed its output.
fn words(session: &Process) -> String {
    session.wait_until(Instant::now() + EXIT_WAIT);
    session.said()
}

/// Ends a session whose opening was given up.
struct EndOnDrop(Option<Process>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            session.signal(rustix::process::Signal::TERM);
        }
    }
}
