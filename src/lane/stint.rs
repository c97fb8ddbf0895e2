//! Few sessions of the lane at a time, each for a while.
//!
//! Served one read each, one after the other, a thousand sessions find nothing of what they work on
//! in the processor's caches when their turn comes again: each byte costs half as much again
//! (docs/benchmarks.md). So where they are many, who has begun goes on whenever there is something
//! for it, and another one begins when a thread has nothing else to do, or has had no such moment
//! for long.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::Place;

/// What a session reads before it waits for the others again. A thousand that take all they can
/// have their turns a third of a second apart.
const STINT: usize = 1024 * 1024;

/// Up to so many sessions nobody waits: the caches hold what they work on.
pub(super) const CROWD: usize = 64;

/// So many turns after another one has begun, the next one does, however much there is to do: input
/// has no end that is known here.
const BUSY_TURNS: u32 = 64;

thread_local! {
    /// Turns on this thread since somebody was let begin.
    static TURNS: Cell<u32> = const { Cell::new(0) };
}

/// Those who wait for their while in one lane.
#[derive(Debug)]
pub(super) struct Queue {
    /// Wakes who waits longest.
    begin: Notify,
    waiting: AtomicUsize,
    sessions: AtomicUsize,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            begin: Notify::const_new(),
            waiting: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
        }
    }

    /// A session that is in the lane for as long as it keeps this.
    pub(super) fn enter(&self) -> Counted<'_> {
        Counted::new(&self.sessions)
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.sessions() > CROWD
    }

    async fn wait(&self) {
        let _waiting = Counted::new(&self.waiting);
        self.begin.notified().await;
    }

    /// For a thread of the lane that has nothing to do, before it sleeps. Whoever waits does so
    /// since a turn on such a thread, so none is forgotten.
    pub(super) fn when_idle(&self) {
        TURNS.set(0);
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.begin.notify_one();
        }
    }

    /// For a thread of the lane, behind each turn.
    pub(super) fn after_turn(&self) {
        TURNS.set(TURNS.get() + 1);
        if TURNS.get() >= BUSY_TURNS {
            self.when_idle();
        }
    }
}

/// One more, until it is dropped.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is left of a session's while.
#[derive(Debug)]
pub(crate) struct Stint {
    queue: &'static Queue,
    left: usize,
}

impl Default for Stint {
    fn default() -> Self {
        Self { queue: &super::QUEUE, left: 0 }
    }
}

impl Stint {
    /// Waits until it is this session's while, which nobody does outside of the lane, nor where
    /// there is no [`CROWD`]. Cancel-safe; who asks again waits behind all others.
    pub(crate) async fn begin(&mut self) {
        if self.left > 0 || Place::here() == Place::Home {
            return;
        }
        if self.queue.is_crowded() {
            self.queue.wait().await;
            // It has left the lane while it waited: no thread there goes to sleep behind it.
            if Place::here() == Place::Home {
                self.queue.when_idle();
            }
        }
        self.left = STINT;
    }

    /// Takes note of a read.
    pub(crate) fn after_read(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;

    use tokio::sync::oneshot;
    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::timeout;

    use super::*;
    use crate::lane::{start, tests::PATIENCE};

    async fn end<T>(task: JoinHandle<T>) -> T {
        timeout(PATIENCE, task).await.expect("somebody waits for ever").unwrap()
    }

    /// The queue of a lane with many sessions.
    fn crowded() -> &'static Queue {
        let queue: &Queue = Box::leak(Box::new(Queue::new()));
        (0..=CROWD).for_each(|_| std::mem::forget(queue.enter()));
        queue
    }

    /// Works in a lane of one thread, which is not that of the process.
    fn in_a_lane<W: Future<Output = ()> + Send + 'static>(work: impl FnOnce(&'static Queue) -> W) {
        let queue = crowded();
        let lane = start(1, queue).unwrap();
        let work = work(queue);
        lane.block_on(async { end(tokio::spawn(work)).await });
    }

    #[test]
    fn who_has_begun_goes_on_before_another_one_begins() {
        in_a_lane(|queue| async move {
            let done = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let done = Arc::clone(&done);
                    tokio::spawn(async move {
                        let mut stint = Stint { queue, left: 0 };
                        stint.begin().await;
                        let others = done.load(Ordering::SeqCst);
                        for read in [STINT / 2, STINT / 2 - 1] {
                            yield_now().await;
                            stint.after_read(read);
                            stint.begin().await;
                        }
                        assert_eq!(done.fetch_add(1, Ordering::SeqCst), others);
                    })
                })
                .collect();
            for task in tasks {
                end(task).await;
            }
        });
    }

    #[test]
    fn up_to_a_crowd_nobody_waits() {
        in_a_lane(|queue| async move {
            let mut stint = Stint { queue, left: 0 };
            assert!(!is_ready(&mut stint).await);
            queue.sessions.fetch_sub(1, Ordering::Relaxed);
            assert!(is_ready(&mut stint).await);
        });
    }

    #[test]
    fn who_has_had_its_while_waits_for_the_others() {
        in_a_lane(|queue| async move {
            let [mut first, mut second] = [(); 2].map(|()| Stint { queue, left: 0 });
            first.begin().await;
            let waiting = tokio::spawn(async move { second.begin().await });
            yield_now().await;
            first.after_read(STINT);
            first.begin().await;
            assert!(waiting.is_finished());
        });
    }

    #[test]
    fn who_leaves_holds_nobody_up() {
        in_a_lane(|queue| async move {
            let waiting = || tokio::spawn(async move { Stint { queue, left: 0 }.begin().await });
            let tasks: Vec<_> = (0..10).map(|_| waiting()).collect();
            yield_now().await;
            let mut last = None;
            for (number, task) in tasks.into_iter().enumerate() {
                if number % 2 == 0 { task.abort() } else { last = Some(task) }
            }
            end(last.unwrap()).await;
        });
    }

    #[test]
    fn who_leaves_the_lane_while_it_waits_holds_nobody_up() {
        let queue = crowded();
        let lane = start(1, queue).unwrap();
        let (leaving_to, leaving) = oneshot::channel();
        let next = lane.spawn(async move {
            let mut wait = Box::pin(async move { Stint { queue, left: 0 }.begin().await });
            assert!(poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await);
            leaving_to.send(wait).ok().unwrap();
            Stint { queue, left: 0 }.begin().await;
        });
        lane.block_on(async {
            leaving.await.unwrap().await;
            end(next).await;
        });
    }

    #[test]
    fn a_thread_that_is_never_idle_lets_one_after_the_other_begin() {
        in_a_lane(|queue| async move {
            let waiting = [(); 3]
                .map(|()| tokio::spawn(async move { Stint { queue, left: 0 }.begin().await }));
            let begun = || waiting.iter().filter(|task| task.is_finished()).count();
            yield_now().await;
            queue.when_idle();
            for number in 1..=waiting.len() {
                for _ in 0..BUSY_TURNS {
                    yield_now().await;
                    assert_eq!(begun(), number);
                    queue.after_turn();
                }
            }
        });
    }

    #[tokio::test]
    async fn outside_of_the_lane_nobody_waits() {
        let mut stint = Stint::default();
        for _ in 0..3 {
            assert!(is_ready(&mut stint).await);
            stint.after_read(STINT);
        }
    }

    async fn is_ready(stint: &mut Stint) -> bool {
        tokio::select! {
            biased;
            () = stint.begin() => true,
            () = std::future::ready(()) => false,
        }
    }
}
