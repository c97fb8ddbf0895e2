//! When to read next: bulk output is read in fewer, larger pieces.
//!
//! An engine writes a frame for whatever it finds in the command's pipe. Whoever
//! reads each frame at once keeps the engine at frames of about 10 KB, and both sides
//! spend their time waking each other: measured on dockerd, pacing doubles the
//! throughput and halves the CPU time. Interactive output never comes near bulk.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::lane::{self, Place};

/// Output is measured over windows of this length.
const WINDOW: Duration = Duration::from_millis(8);
/// More than this in one window is bulk: 32 MiB/s.
const BULK_BYTES: usize = 256 * 1024;
/// In bulk, a read that gave less than this came too early.
const SMALL_READ: usize = 64 * 1024;
/// How long to leave the engine alone then. Waiting after every read would cap the
/// throughput: a unix socket holds about 208 KiB.
const REST: Duration = Duration::from_millis(1);

/// When one reader reads next.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    windows: Windows,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Waits until it is time for the next read.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        Poll::Ready(())
    }

    /// Takes note of a read that gave `bytes`, and had room for `room`.
    pub(crate) fn after_read(&mut self, bytes: usize, room: usize) {
        lane::note_read(bytes);
        let now = Instant::now();
        let early = self.windows.is_early(now, bytes);
        // A read that was cut short by its buffer says nothing about what there is.
        if early && bytes < room {
            let rest = || Box::pin(sleep_until((now + REST).into()));
            self.rest = Some(Place::here().make(rest));
        }
    }
}

/// Tells after each read whether it came too early. Pure: the clock is passed in.
#[derive(Debug, Default)]
struct Windows {
    start: Option<Instant>,
    bytes: usize,
    bulk: bool,
}

impl Windows {
    /// Takes note of a read of `bytes` at `now`.
    fn is_early(&mut self, now: Instant, bytes: usize) -> bool {
        let age = self.start.map(|start| now.saturating_duration_since(start));
        if age.is_none_or(|age| age >= WINDOW) {
            // A window that was followed by silence says nothing about now.
            let fresh = age.is_some_and(|age| age < 2 * WINDOW);
            self.bulk = fresh && self.bytes > BULK_BYTES;
            self.start = Some(now);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.bulk |= self.bytes > BULK_BYTES;
        self.bulk && bytes < SMALL_READ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `reads` of (milliseconds since the start, bytes); returns which were followed by a rest.
    fn rests(reads: &[(u64, usize)]) -> Vec<bool> {
        let start = Instant::now();
        let mut windows = Windows::default();
        let read = |&(at, bytes): &(u64, usize)| {
            windows.is_early(start + Duration::from_millis(at), bytes)
        };
        reads.iter().map(read).collect()
    }

    #[test]
    fn keystrokes_and_screens_never_wait() {
        let typed: Vec<_> = (0..1000).map(|i| (i, 100)).collect();
        assert!(!rests(&typed).contains(&true));
        let screens: Vec<_> = (0..100).map(|i| (i * 8, 60_000)).collect();
        assert!(!rests(&screens).contains(&true));
    }

    #[test]
    fn bulk_waits_after_small_reads_only() {
        let reads = [(0, 200_000), (1, 70_000), (2, 10_000), (3, 100_000), (4, 1)];
        assert_eq!(rests(&reads), [false, false, true, false, true]);
    }

    #[test]
    fn bulk_lasts_through_the_next_window() {
        assert_eq!(rests(&[(0, 300_000), (9, 1000)]), [false, true]);
        assert_eq!(rests(&[(0, 300_000), (9, 1000), (18, 1000)]), [false, true, false]);
    }

    #[test]
    fn silence_ends_bulk() {
        assert_eq!(rests(&[(0, 300_000), (16, 1000)]), [false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_follows_a_read_that_left_room() {
        let mut pace = Pace::default();
        pace.after_read(300_000, 300_000);
        let rested = async |pace: &mut Pace| {
            let start = tokio::time::Instant::now();
            std::future::poll_fn(|cx| pace.poll_rest(cx)).await;
            start.elapsed()
        };
        pace.after_read(1000, 1000);
        assert_eq!(rested(&mut pace).await, Duration::ZERO);
        pace.after_read(1000, 1001);
        assert!(rested(&mut pace).await > Duration::ZERO);
        assert_eq!(rested(&mut pace).await, Duration::ZERO);
    }

    #[tokio::test]
    async fn in_the_lane_a_rest_needs_nobody_else() {
        let mut pace = Pace::default();
        crate::lane::tests::alone(async move {
            pace.after_read(300_000, 300_000);
            pace.after_read(1000, 1001);
            std::future::poll_fn(|cx| pace.poll_rest(cx)).await;
        })
        .await;
    }
}
