//! A deadline that moves with every sign of life.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When something was last sent or received, and how long silence may last.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    limit: Option<Duration>,
    started: Instant,
    /// Milliseconds from the start to the last sign of life.
    last: Arc<AtomicU64>,
}

/// Silence lasted for this long.
#[derive(Debug)]
pub(super) struct Silent(pub(super) Duration);

impl Idle {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, started: Instant::now(), last: Arc::default() }
    }

    /// Something was sent or received.
    pub(super) fn touch(&self) {
        if self.limit.is_some() {
            let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Ordering::Relaxed);
        }
    }

    /// The outcome of `work`, unless silence lasts too long before.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> Result<T, Silent> {
        let Some(limit) = self.limit else { return Ok(work.await) };
        self.touch();
        let silence = async {
            loop {
                let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
                let end = self.started + last + limit;
                if Instant::now() >= end {
                    return Silent(limit);
                }
                tokio::time::sleep_until(end.into()).await;
            }
        };
        tokio::select! {
            biased;
            outcome = work => Ok(outcome),
            silent = silence => Err(silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_ends_what_never_ends() {
        let idle = Idle::new(Some(Duration::from_millis(20)));
        let Silent(after) = idle.watch(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(after, Duration::from_millis(20));
    }

    #[tokio::test]
    async fn signs_of_life_move_the_deadline() {
        let idle = Idle::new(Some(Duration::from_millis(200)));
        let work = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                idle.touch();
            }
        };
        idle.watch(work).await.unwrap();
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_watched() {
        assert_eq!(Idle::new(None).watch(async { 1 }).await.unwrap(), 1);
    }
}
