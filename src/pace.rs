//! When to read next: bulk output is read in fewer, larger pieces.
//!
//! An engine writes a frame for whatever it finds in the command's pipe. Whoever
//! reads each frame at once keeps the engine at frames of about 10 KB, and both sides
//! spend their time waking each other: measured on dockerd, pacing doubles the
//! throughput and halves the CPU time. Interactive output never comes near bulk.

use std::time::{Duration, Instant};

/// Output is measured over windows of this length.
const WINDOW: Duration = Duration::from_millis(8);
/// More than this in one window is bulk: 32 MiB/s.
const BULK_BYTES: usize = 256 * 1024;
/// In bulk, a read that gave less than this came too early.
const SMALL_READ: usize = 64 * 1024;
/// How long to leave the engine alone then. Waiting after every read would cap the
/// throughput: a unix socket holds about 208 KiB.
const REST: Duration = Duration::from_millis(1);

/// Decides after each read whether to wait before the next one. Pure: the clock is passed in.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    window_start: Option<Instant>,
    window_bytes: usize,
    bulk: bool,
}

impl Pace {
    /// Takes note of a read of `bytes` at `now`; returns how long to wait before the next.
    pub(crate) fn after_read(&mut self, now: Instant, bytes: usize) -> Option<Duration> {
        let age = self.window_start.map(|start| now.saturating_duration_since(start));
        if age.is_none_or(|age| age >= WINDOW) {
            // A window that was followed by silence says nothing about now.
            let fresh = age.is_some_and(|age| age < 2 * WINDOW);
            self.bulk = fresh && self.window_bytes > BULK_BYTES;
            self.window_start = Some(now);
            self.window_bytes = 0;
        }
        self.window_bytes = self.window_bytes.saturating_add(bytes);
        self.bulk |= self.window_bytes > BULK_BYTES;
        (self.bulk && bytes < SMALL_READ).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `reads` of (milliseconds since the start, bytes); returns which were followed by a rest.
    fn rests(reads: &[(u64, usize)]) -> Vec<bool> {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut read = |&(at, bytes)| pace.after_read(start + Duration::from_millis(at), bytes);
        reads.iter().map(|r| read(r).is_some()).collect()
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
}
