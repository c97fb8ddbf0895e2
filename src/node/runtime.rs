//! The tokio runtimes of the addon: one for sessions, one for requests to engines.
//!
//! Started at first use, so that loading the addon costs no threads, and shared by every
//! environment of the process (the main thread and `worker_threads`). They are never shut down:
//! an environment that ends drops its servers and clients, which ends their tasks, and threads
//! that sleep do not keep a process from exiting.

use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::Runtime;

/// Threads that run tasks, unless `DEW_WORKER_THREADS` says otherwise. Two keep a session's
/// directions apart and leave the processor to Node and to the commands.
const WORKER_THREADS: usize = 2;

/// The most that `DEW_WORKER_THREADS` can ask for.
const MAX_WORKER_THREADS: usize = 64;

/// Threads that run requests. A second one would be woken for nothing: measured, that costs a
/// sixth of the small calls in a second.
const REQUEST_THREADS: usize = 1;

static SESSIONS: OnceLock<Runtime> = OnceLock::new();
static REQUESTS: OnceLock<Runtime> = OnceLock::new();

/// The runtime of sessions; fails only if the system gives no thread or no descriptor for it.
pub(super) fn runtime() -> napi::Result<&'static Runtime> {
    started(&SESSIONS, worker_threads)
}

/// The runtime of requests, in the same way.
pub(super) fn request_runtime() -> napi::Result<&'static Runtime> {
    started(&REQUESTS, || REQUEST_THREADS)
}

fn started(
    place: &'static OnceLock<Runtime>,
    threads: impl FnOnce() -> usize,
) -> napi::Result<&'static Runtime> {
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(runtime) = place.get() {
        return Ok(runtime);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if place.get().is_none() {
        let started = crate::runtime::builder()
            .worker_threads(threads())
            .build()
            .map_err(|error| napi::Error::from_reason(format!("cannot start threads: {error}")))?;
        let _ = place.set(started);
    }
    place.get().ok_or_else(|| napi::Error::from_reason("cannot start threads"))
}

fn worker_threads() -> usize {
    let asked = std::env::var("DEW_WORKER_THREADS").ok().and_then(|text| text.parse().ok());
    asked.filter(|&threads| threads > 0).unwrap_or(WORKER_THREADS).min(MAX_WORKER_THREADS)
}
