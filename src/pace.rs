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
/// How long to leave the other side alone then, at most.
const REST: Duration = Duration::from_millis(1);
/// Less would be over before it has begun.
const SHORTEST_REST: Duration = Duration::from_micros(50);
/// An engine is left alone for as long as it took for this much of late: a unix socket holds about
/// 208 KiB, and who has filled it waits for us.
const PIECE: usize = 128 * 1024;

/// When one reader reads next.
#[derive(Debug)]
pub(crate) struct Pace {
    windows: Windows,
    /// Whether a thread that has nothing else to do may rest as a whole.
    may_nap: bool,
    until: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Of what comes from an engine.
    pub(crate) fn of_engine() -> Self {
        Self::new(Windows::of_pieces(PIECE), true)
    }

    /// Of what comes from a peer, whose connection holds megabytes. What came before goes on to the
    /// engine meanwhile.
    pub(crate) fn of_peer() -> Self {
        Self::new(Windows::of_pieces(usize::MAX), false)
    }

    fn new(windows: Windows, may_nap: bool) -> Self {
        Self { windows, may_nap, until: None, sleep: None }
    }

    /// Waits until it is time for the next read.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_rest_with(cx, lane::has_thread_to_spare)
    }

    fn poll_rest_with(&mut self, cx: &mut Context<'_>, can_nap: fn() -> bool) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Ready(()) };
        if self.may_nap && can_nap() {
            // A timer has whole milliseconds; and who waits for a shorter one is woken by each frame
            // that comes meanwhile: of dockerd's, five for each read (measured).
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        } else {
            let sleep = || Place::here().make(|| Box::pin(sleep_until(until.into())));
            ready!(self.sleep.get_or_insert_with(sleep).as_mut().poll(cx));
        }
        (self.until, self.sleep) = (None, None);
        Poll::Ready(())
    }

    /// Takes note of a read that gave `bytes`, and had room for `room`.
    pub(crate) fn after_read(&mut self, bytes: usize, room: usize) {
        lane::note_read(bytes);
        let now = Instant::now();
        let early = self.windows.rest_after(now, bytes);
        // A read that was cut short by its buffer says nothing about what there is.
        if let Some(rest) = early.filter(|_| bytes < room) {
            (self.until, self.sleep) = (Some(now + rest), None);
        }
    }
}

/// Tells after each read whether it came too early. Pure: the clock is passed in.
#[derive(Debug)]
struct Windows {
    start: Option<Instant>,
    bytes: usize,
    bulk: bool,
    /// Rests are as long as this much took.
    piece: usize,
    rest: Duration,
}

impl Windows {
    fn of_pieces(piece: usize) -> Self {
        Self { start: None, bytes: 0, bulk: false, piece, rest: REST }
    }

    /// Takes note of a read of `bytes` at `now`; answers how long to rest.
    fn rest_after(&mut self, now: Instant, bytes: usize) -> Option<Duration> {
        let age = self.start.map(|start| now.saturating_duration_since(start));
        if age.is_none_or(|age| age >= WINDOW) {
            // A window that was followed by silence says nothing about now.
            let last = age.filter(|age| *age < 2 * WINDOW && self.bytes > BULK_BYTES);
            self.bulk = last.is_some();
            self.rest = last.map_or(REST, |age| self.time_for_a_piece(age));
            self.start = Some(now);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.bulk |= self.bytes > BULK_BYTES;
        (self.bulk && bytes < SMALL_READ).then_some(self.rest)
    }

    /// As it was in the window that has been so long.
    fn time_for_a_piece(&self, age: Duration) -> Duration {
        let share = self.piece as f64 / self.bytes as f64;
        Duration::try_from_secs_f64(age.as_secs_f64() * share)
            .map_or(REST, |time| time.clamp(SHORTEST_REST, REST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `reads` of (milliseconds since the start, bytes); returns the rests that followed them.
    fn lengths(piece: usize, reads: &[(u64, usize)]) -> Vec<Option<Duration>> {
        let start = Instant::now();
        let mut windows = Windows::of_pieces(piece);
        let read = |&(at, bytes): &(u64, usize)| {
            windows.rest_after(start + Duration::from_millis(at), bytes)
        };
        reads.iter().map(read).collect()
    }

    /// Which of them were followed by a rest.
    fn rests(reads: &[(u64, usize)]) -> Vec<bool> {
        lengths(usize::MAX, reads).iter().map(Option::is_some).collect()
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

    #[test]
    fn a_rest_is_as_long_as_a_piece_took_and_at_most_a_millisecond() {
        const MUCH: usize = 1024 * 1024;
        const SIXTEENTH: usize = MUCH / 16;
        // Behind three windows in which so much was read.
        let rest = |piece, much| {
            let reads = [(0, much), (8, much), (16, much), (24, 1)];
            lengths(piece, &reads).pop().unwrap().unwrap()
        };
        assert_eq!(rest(SIXTEENTH, MUCH), Duration::from_micros(500));
        assert_eq!(rest(SIXTEENTH, 2 * MUCH), Duration::from_micros(250));
        assert_eq!(rest(SIXTEENTH, MUCH / 3), REST);
        assert_eq!(rest(SIXTEENTH, 1024 * MUCH), SHORTEST_REST);
        assert_eq!(rest(usize::MAX, 1024 * MUCH), REST);
        // Nothing is known in the first window, nor behind silence.
        assert_eq!(lengths(SIXTEENTH, &[(0, MUCH), (1, 1)]), [None, Some(REST)]);
        let silence = [(0, MUCH), (8, MUCH), (50, MUCH), (51, 1)];
        assert_eq!(lengths(SIXTEENTH, &silence)[3], Some(REST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_follows_a_read_that_left_room() {
        let mut pace = Pace::of_peer();
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
    async fn who_has_a_thread_to_spare_naps_on_it_for_an_engine() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for (mut pace, can_nap, naps) in [
            (Pace::of_engine(), true, true),
            (Pace::of_engine(), false, false),
            (Pace::of_peer(), true, false),
        ] {
            let can_nap = if can_nap { || true } else { || false };
            pace.after_read(300_000, usize::MAX);
            let start = Instant::now();
            pace.after_read(1000, usize::MAX);
            assert_eq!(pace.poll_rest_with(&mut cx, can_nap).is_ready(), naps);
            assert!(!naps || start.elapsed() >= REST);
        }
    }

    #[tokio::test]
    async fn in_the_lane_a_rest_needs_nobody_else() {
        let mut pace = Pace::of_peer();
        crate::lane::tests::alone(async move {
            pace.after_read(300_000, 300_000);
            pace.after_read(1000, 1001);
            std::future::poll_fn(|cx| pace.poll_rest(cx)).await;
        })
        .await;
    }
}
