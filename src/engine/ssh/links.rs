//! The links of this process: one for each address, shared by all; who finds none starts one.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use super::link::{Lease, Link, Route, State};
use super::{SshError, SshFailure, SshHost, stdio};
use crate::engine::connect::Demand;

/// Rest before a start that follows a failed one: after the first, and the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How long a failure is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// How often a call looks for a link before it gives up: a link may end under it.
const ATTEMPTS: usize = 3;
/// How often a local socket is tried whose queue is full.
const QUEUE_POLL: Duration = Duration::from_millis(5);
/// How long the end of the process waits for the end of its links.
const CLOSE_WAIT: Duration = Duration::from_secs(3);

static LINKS: LazyLock<Mutex<HashMap<SshHost, Entry>>> = LazyLock::new(Mutex::default);

struct Entry {
    link: Arc<Link>,
    failures: u32,
    failed_at: Instant,
}

fn links() -> MutexGuard<'static, HashMap<SshHost, Entry>> {
    LINKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects to the engine of `host`. The link is up as long as the lease is there.
pub(in crate::engine) async fn connect(
    host: &SshHost,
    demand: Option<&Demand>,
) -> io::Result<(UnixStream, Lease)> {
    for _ in 0..ATTEMPTS {
        let link = find(host);
        let Some(route) = ready(&link).await? else { continue };
        let Some(lease) = link.lease() else { continue };
        if !route.forwards {
            match stdio::open(&link, &route, lease, demand).await? {
                Some(opened) => return Ok(opened),
                None => {
                    link.close();
                    continue;
                }
            }
        }
        match connect_local(&route.folder.engine()).await {
            Ok(socket) => return Ok((socket, lease)),
            // Its `ssh` is gone, or as good as gone.
            Err(_) => link.close(),
        }
    }
    Err(SshError::new(SshFailure::Failed, host, "the connection ends as soon as it is made"))?
}

/// Connects to a socket of this machine, as soon as its queue has room.
async fn connect_local(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(QUEUE_POLL).await;
            }
            other => return other,
        }
    }
}

/// The link to `host`: the one there is, or a new one.
fn find(host: &SshHost) -> Arc<Link> {
    let mut links = links();
    let before = links.get(host);
    if let Some(Entry { link, .. }) = before
        && !link.is_over()
    {
        return Arc::clone(link);
    }
    let (failures, failed_at) =
        before.map_or((0, Instant::now()), |entry| (entry.failures, entry.failed_at));
    links.retain(|_, entry| !entry.link.is_over() || entry.failed_at.elapsed() < FORGET_AFTER);
    let delay = backoff(failures).saturating_sub(failed_at.elapsed());
    let settled = {
        let host = host.clone();
        move |is_fine| settle(&host, is_fine)
    };
    let link = Link::start(host, delay, settled);
    links.insert(host.clone(), Entry { link: Arc::clone(&link), failures, failed_at });
    link
}

/// Remembers how a start has ended.
fn settle(host: &SshHost, is_fine: bool) {
    if let Some(entry) = links().get_mut(host) {
        entry.failures = if is_fine { 0 } else { entry.failures.saturating_add(1) };
        entry.failed_at = Instant::now();
    }
}

fn backoff(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            FIRST_BACKOFF.saturating_mul(1 << doublings.min(10)).min(LONGEST_BACKOFF)
        }
    }
}

/// How the engine is reached; `None` if the link has ended meanwhile.
async fn ready(link: &Link) -> Result<Option<Arc<Route>>, SshError> {
    let mut state = link.watch();
    let settled = state.wait_for(|state| !matches!(state, State::Starting)).await;
    match settled.map(|state| state.clone()) {
        Ok(State::Ready(route)) => Ok(Some(route)),
        Ok(State::Over(Some(error))) => Err(error),
        _ => Ok(None),
    }
}

pub(super) fn close_all() {
    let links: Vec<_> = links().drain().map(|(_, entry)| entry.link).collect();
    for link in &links {
        link.close();
    }
    let deadline = Instant::now() + CLOSE_WAIT;
    for link in &links {
        link.wait_over(deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_after_failures_wait_longer_up_to_a_limit() {
        let waits = [0, 1, 2, 3, 6, 7, 1000].map(|failures| backoff(failures).as_millis());
        assert_eq!(waits, [0, 100, 200, 400, 2000, 2000, 2000]);
    }
}
