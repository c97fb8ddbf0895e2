//! A lane of their own for sessions in bulk, so that nobody's key waits behind all of them.
//!
//! A thread runs whatever became ready in the order in which it did, and a turn of a session in
//! bulk lasts as long as ten keys or more. Beside a hundred of them, a key would wait for a
//! hundred turns on its way in and again on its way out. So sessions that move much data run on
//! threads of the lane while they do, and everybody else's threads sleep until there is a key:
//! the system wakes such threads first. A few in bulk stay where they are, since to go costs a
//! wake-up of another thread for each turn.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// Whoever reads this much in one turn is in bulk: a screen of text is half of it.
const BULK_TURN: usize = 8 * 1024;
/// And for this long after it.
const BULK_LASTS: Duration = Duration::from_millis(100);
/// So many in bulk at once are left where they are: a turn of each takes a millisecond in all.
const UNNOTICED: usize = 8;

thread_local! {
    /// Bytes that the task whose turn it is has read.
    static READ: Cell<usize> = const { Cell::new(0) };
}

/// The lane of all servers of the process.
static LANE: Lane = Lane::new(UNNOTICED);

/// Takes note of a read, by whichever task has its turn on this thread.
pub(crate) fn note_read(bytes: usize) {
    READ.set(READ.get().saturating_add(bytes));
}

/// Runs `future`, in the lane for as long as it is in bulk beside others. Dropped, it ends soon.
///
/// It comes in a box, since what is given to asynchronous functions is kept in each of them.
pub(crate) async fn run<F>(future: Pin<Box<F>>) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    LANE.run(future).await
}

struct Lane {
    /// So many in bulk are left where they are.
    unnoticed: usize,
    in_bulk: AtomicUsize,
    /// Started when it is first needed; `None` if the system gave no threads.
    runtime: OnceLock<Option<Runtime>>,
}

impl Lane {
    const fn new(unnoticed: usize) -> Self {
        Self { unnoticed, in_bulk: AtomicUsize::new(0), runtime: OnceLock::new() }
    }

    async fn run<F>(&'static self, future: Pin<Box<F>>) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let home = Handle::current();
        let mut task = Task { future, lane: self, home, bulk: None };
        loop {
            task = match task.run_while(Task::may_stay_outside).await {
                Leg::Over(output) => return output,
                Leg::Left(task) => task,
            };
            let Some(runtime) = self.runtime(&task.home) else { return task.future.await };
            let leg = AbortOnDropHandle::new(runtime.spawn(task.run_while(Task::is_in_bulk)));
            task = match leg.await {
                Ok(Leg::Over(output)) => return output,
                Ok(Leg::Left(task)) => task,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The process is ending: the lane is gone, and so is everything in it.
                    Err(_) => std::future::pending().await,
                },
            };
        }
    }

    /// With as many threads as `home` has.
    fn runtime(&self, home: &Handle) -> Option<&Runtime> {
        let start = || {
            let threads = home.metrics().num_workers();
            crate::runtime::builder().thread_name("dew-bulk").worker_threads(threads).build().ok()
        };
        self.runtime.get_or_init(start).as_ref()
    }
}

/// Counts for as long as it is there.
struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Bulk {
    until: Instant,
    /// Set again only when it fires.
    timer: Pin<Box<Sleep>>,
    _counted: Counted,
}

struct Task<F> {
    future: Pin<Box<F>>,
    lane: &'static Lane,
    /// Where it came from. Tasks that it spawns, its sockets and its timers stay there.
    home: Handle,
    bulk: Option<Bulk>,
}

/// How a stay in one place ended.
enum Leg<F: Future> {
    Over(F::Output),
    Left(Task<F>),
}

impl<F: Future> Task<F> {
    /// Runs until the end, or until the task `may_stay` no longer.
    async fn run_while(mut self, may_stay: fn(&Self) -> bool) -> Leg<F> {
        let leg = poll_fn(|cx| match self.poll_turn(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if may_stay(&self) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        match leg.await {
            Some(output) => Leg::Over(output),
            None => Leg::Left(self),
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, lane, home, bulk } = self;
        let _at_home = home.enter();
        READ.set(0);
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            judge(bulk, lane, READ.get(), cx);
        }
        polled
    }

    fn is_in_bulk(&self) -> bool {
        self.bulk.is_some()
    }

    fn may_stay_outside(&self) -> bool {
        !self.is_in_bulk() || self.lane.in_bulk.load(Ordering::Relaxed) <= self.lane.unnoticed
    }
}

/// Notes whether a task is in bulk after a turn in which it has read `bytes`.
fn judge(state: &mut Option<Bulk>, lane: &'static Lane, bytes: usize, cx: &mut Context<'_>) {
    if bytes >= BULK_TURN {
        let until = Instant::now() + BULK_LASTS;
        let enter = || Bulk {
            until,
            timer: Box::pin(sleep_until(until)),
            _counted: Counted::new(&lane.in_bulk),
        };
        state.get_or_insert_with(enter).until = until;
    }
    while let Some(bulk) = state
        && bulk.timer.as_mut().poll(cx).is_ready()
    {
        if bulk.until <= Instant::now() {
            *state = None;
        } else {
            bulk.timer.as_mut().reset(bulk.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;
    use tokio::sync::oneshot;

    use super::*;

    fn lane() -> &'static Lane {
        Box::leak(Box::new(Lane::new(1)))
    }

    fn is_in_lane() -> bool {
        std::thread::current().name() == Some("dew-bulk")
    }

    /// A turn in which so many bytes are read, and another one afterwards.
    async fn turn(bytes: usize) {
        note_read(bytes);
        tokio::task::yield_now().await;
    }

    /// Something that stays in bulk until the sender is dropped.
    fn other_in_bulk(lane: &'static Lane) -> oneshot::Sender<()> {
        let (stop, mut stopped) = oneshot::channel();
        tokio::spawn(lane.run(Box::pin(async move {
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                turn(BULK_TURN).await;
            }
        })));
        stop
    }

    async fn until_in_bulk(lane: &Lane, count: usize) {
        while lane.in_bulk.load(Ordering::Relaxed) != count {
            tokio::task::yield_now().await;
        }
    }

    /// A lane, and somebody else in bulk.
    async fn lane_beside_bulk() -> (&'static Lane, oneshot::Sender<()>) {
        let lane = lane();
        let other = other_in_bulk(lane);
        until_in_bulk(lane, 1).await;
        (lane, other)
    }

    #[tokio::test]
    async fn whoever_is_alone_in_bulk_stays() {
        let lane = lane();
        let places = lane.run(Box::pin(async {
            turn(BULK_TURN).await;
            is_in_lane()
        }));
        assert!(!places.await);
        assert!(lane.runtime.get().is_none());
        assert_eq!(lane.in_bulk.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn bulk_beside_bulk_goes_into_the_lane_and_comes_back_in_silence() {
        let (lane, _other) = lane_beside_bulk().await;
        let places = lane.run(Box::pin(async {
            let mut places = vec![is_in_lane()];
            turn(BULK_TURN - 1).await;
            places.push(is_in_lane());
            turn(BULK_TURN).await;
            places.push(is_in_lane());
            // What it starts is started where it came from.
            places.push(tokio::spawn(async { is_in_lane() }).await.unwrap());
            // It still is there as long as it is in bulk, and leaves without having a turn.
            while is_in_lane() {
                tokio::time::sleep(BULK_LASTS / 10).await;
            }
            places.push(is_in_lane());
            places
        }));
        assert_eq!(places.await, [false, false, true, false, false]);
        assert_eq!(lane.in_bulk.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_task_without_turns_leaves_the_lane_as_well() {
        let (lane, _other) = lane_beside_bulk().await;
        let key: &'static Notify = Box::leak(Box::new(Notify::new()));
        let waiting = tokio::spawn(lane.run(Box::pin(async {
            turn(BULK_TURN).await;
            let was_there = is_in_lane();
            key.notified().await;
            (was_there, is_in_lane())
        })));
        until_in_bulk(lane, 2).await;
        until_in_bulk(lane, 1).await;
        key.notify_one();
        assert_eq!(waiting.await.unwrap(), (true, false));
    }

    #[tokio::test]
    async fn a_drop_ends_what_is_in_the_lane() {
        let (lane, _other) = lane_beside_bulk().await;
        let (alive, ended) = oneshot::channel::<()>();
        let (there, arrived) = oneshot::channel();
        let task = tokio::spawn(lane.run(Box::pin(async move {
            turn(BULK_TURN).await;
            let _alive = alive;
            let _ = there.send(is_in_lane());
            loop {
                turn(BULK_TURN).await;
            }
        })));
        assert!(arrived.await.unwrap());
        task.abort();
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_in_the_lane_is_the_callers() {
        let (lane, _other) = lane_beside_bulk().await;
        let task = tokio::spawn(lane.run(Box::pin(async {
            turn(BULK_TURN).await;
            assert!(!is_in_lane(), "it is in the lane");
        })));
        let panic = task.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"it is in the lane"));
    }
}
