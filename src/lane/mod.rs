//! A lane of their own for sessions in bulk, so that nobody's key waits behind them.
//!
//! A thread runs whatever became ready in the order in which it did, and a turn of a session in
//! bulk lasts as long as ten keys or more. Nor does the system hurry for a thread that is busy all
//! the time: one that has used its share of a processor waits for its next turn, and with it all
//! that it serves. So sessions that move much data run on threads of the lane while they do, and
//! everybody else's threads sleep until there is a key: the system wakes such threads first.
//! Sockets and rests of a session come along, so that its news wake the lane and nobody else.
//! Behind each turn a thread of the lane lets others have the processor: who has waited for it
//! through a turn, be it a thread of ours, of the engine or of a command, need not wait for more.

mod slice;
mod stint;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use self::stint::Queue;
pub(crate) use self::stint::Stint;

/// Whoever reads this much in one window is in bulk: more than keys can draw screens of text.
const BULK_BYTES: usize = 64 * 1024;
/// Also how long after bulk a small read is somebody's key again.
const WINDOW: Duration = Duration::from_millis(100);

/// How long the system lets a thread of the lane run before another one's turn, where there is one.
/// It takes 100 us to 100 ms (sched_setattr(2)); its own is 0.7 ms or more.
const SLICE: Duration = Duration::from_micros(100);

/// What threads of the lane are called.
const THREADS: &str = "dew-bulk";

thread_local! {
    /// Bytes that the task whose turn it is has read.
    static READ: Cell<usize> = const { Cell::new(0) };
    /// What this thread belongs to.
    static HERE: Cell<Place> = const { Cell::new(Place::Home) };
    /// What lets others have the processor.
    static GIVE_WAY: Cell<fn()> = const { Cell::new(|| ()) };
}

/// The lane of all servers of the process. It starts when it is first needed; `None` within if the
/// system gave no threads.
static LANE: OnceLock<Option<Runtime>> = OnceLock::new();
/// Who waits in it for others to have read.
static QUEUE: Queue = Queue::new();

/// Takes note of a read, by whichever task has its turn on this thread.
pub(crate) fn note_read(bytes: usize) {
    READ.set(READ.get().saturating_add(bytes));
}

/// Whether the task whose turn it is may keep its thread for a moment: there is one for each in the lane.
pub(crate) fn has_thread_to_spare() -> bool {
    let threads = || LANE.get()?.as_ref().map(|lane| lane.metrics().num_workers());
    Place::here() == Place::Lane && threads().is_some_and(|threads| QUEUE.sessions() <= threads)
}

/// Where something is that gets its news from a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it was made, if not by [`Place::make`].
    Home,
    Lane,
}

impl Place {
    /// Of the task whose turn it is on this thread.
    pub(crate) fn here() -> Self {
        HERE.get()
    }

    /// Makes something that gets its news in this place.
    pub(crate) fn make<T>(self, make: impl FnOnce() -> T) -> T {
        let lane = if self == Self::Lane { LANE.get().and_then(Option::as_ref) } else { None };
        let _entered = lane.map(Runtime::enter);
        make()
    }

    /// For something that gets its news in this place: if the task whose turn it is runs elsewhere,
    /// `remake` is to make it anew there. Should that fail, its news go on to come from here.
    pub(crate) fn follow(&mut self, remake: impl FnOnce() -> io::Result<()>) {
        let here = Self::here();
        if *self != here {
            *self = here;
            let _ = here.make(remake);
        }
    }
}

/// Runs `future`, in the lane for as long as it is in bulk. Dropped, it ends soon.
///
/// It comes in a box, since what is given to asynchronous functions is kept in each of them.
pub(crate) async fn run<F>(future: Pin<Box<F>>) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut task = Task { future, home: Handle::current() };
    loop {
        task = match task.run_until_bulk().await {
            Leg::Over(output) => return output,
            Leg::Left(task) => task,
        };
        let home = task.home.metrics();
        let Some(lane) = LANE.get_or_init(|| start(threads_beside(home.num_workers()), &QUEUE))
        else {
            return task.future.await;
        };
        let leg = AbortOnDropHandle::new(lane.spawn(task.run_until_quiet()));
        let there = QUEUE.enter();
        let leg = leg.await;
        drop(there);
        task = match leg {
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

/// Threads of a lane beside so many of everybody's: no more than there are processors for them, since
/// all that they would do is to take turns.
fn threads_beside(home: usize) -> usize {
    thread::available_parallelism().map_or(home, |processors| home.min(processors.get()))
}

/// A lane with so many threads.
fn start(threads: usize, queue: &'static Queue) -> Option<Runtime> {
    crate::runtime::builder()
        .thread_name(THREADS)
        .on_thread_start(|| {
            HERE.set(Place::Lane);
            // Whoever gives way gives up the rest of the system's turn (Linux 6.18). If that were a
            // long one, other programs would leave us little: a third of the throughput, measured.
            if slice::set(SLICE) {
                GIVE_WAY.set(thread::yield_now);
            }
        })
        .on_thread_park(|| queue.when_idle())
        .worker_threads(threads)
        .build()
        .ok()
}

struct Task<F> {
    future: Pin<Box<F>>,
    /// Where it came from. Tasks that it spawns, and timers that are no rests, stay there.
    home: Handle,
}

/// How a stay in one place ended.
enum Leg<F: Future> {
    Over(F::Output),
    Left(Task<F>),
}

impl<F: Future> Task<F> {
    /// Runs until the end, or until `moves` says of a turn, by what was read in it, that the task
    /// is to run elsewhere. A turn without a read says nothing.
    async fn run_until(mut self, mut moves: impl FnMut(Instant, usize) -> bool) -> Leg<F> {
        let leg = poll_fn(|cx| match self.poll_turn(cx) {
            (Poll::Ready(output), _) => Poll::Ready(Some(output)),
            (Poll::Pending, 0) => Poll::Pending,
            (Poll::Pending, read) if moves(Instant::now(), read) => Poll::Ready(None),
            (Poll::Pending, _) => Poll::Pending,
        });
        match leg.await {
            Some(output) => Leg::Over(output),
            None => Leg::Left(self),
        }
    }

    fn run_until_bulk(self) -> impl Future<Output = Leg<F>> {
        let mut window = Window::default();
        self.run_until(move |now, read| window.is_bulk(now, read))
    }

    fn run_until_quiet(self) -> impl Future<Output = Leg<F>> {
        let mut window = Window::default();
        self.run_until(move |now, read| window.is_quiet(now, read))
    }

    /// One turn, and how many bytes were read in it.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> (Poll<F::Output>, usize) {
        let _at_home = self.home.enter();
        READ.set(0);
        let polled = self.future.as_mut().poll(cx);
        let read = READ.get();
        if Place::here() == Place::Lane {
            QUEUE.after_turn();
            if read > 0 {
                GIVE_WAY.get()();
            }
        }
        (polled, read)
    }
}

/// What was read of late. Pure: the clock is passed in.
#[derive(Default)]
struct Window {
    start: Option<Instant>,
    bytes: usize,
    /// When there was bulk last.
    bulk: Option<Instant>,
}

impl Window {
    /// Takes note of a read at `now`; answers whether there is bulk.
    fn is_bulk(&mut self, now: Instant, read: usize) -> bool {
        if self.start.is_none_or(|start| now.saturating_duration_since(start) >= WINDOW) {
            (self.start, self.bytes) = (Some(now), 0);
        }
        self.bytes = self.bytes.saturating_add(read);
        self.bytes >= BULK_BYTES
    }

    /// Takes note of a read at `now`; answers whether bulk is over, which was there at first. Whoever
    /// pauses between much and much is in bulk: to move costs more than the pause is worth.
    fn is_quiet(&mut self, now: Instant, read: usize) -> bool {
        let is_bulk = self.is_bulk(now, read);
        let last = *self.bulk.get_or_insert(now);
        if is_bulk {
            self.bulk = Some(now);
        }
        !is_bulk && now.saturating_duration_since(last) >= WINDOW
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    /// Longer than a machine under load needs for what takes no time.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

    /// Does some work in the lane, all of whose news have to come there: the runtime that it came
    /// from stands still meanwhile.
    pub(crate) async fn alone<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (arrived_to, arrived) = oneshot::channel();
        let (standing_to, standing) = mpsc::channel();
        let (done_to, done) = mpsc::channel();
        let _task = AbortOnDropHandle::new(tokio::spawn(run(Box::pin(async move {
            turn(BULK_BYTES).await;
            assert!(is_in_lane());
            arrived_to.send(()).unwrap();
            standing.recv().unwrap();
            note_read(BULK_BYTES);
            let _ = done_to.send(work.await);
        }))));
        arrived.await.unwrap();
        standing_to.send(()).unwrap();
        done.recv_timeout(PATIENCE).expect("news come to a runtime that stands still")
    }

    fn is_in_lane() -> bool {
        thread::current().name() == Some(THREADS)
    }

    /// A turn in which so many bytes are read, and another one afterwards.
    async fn turn(bytes: usize) {
        note_read(bytes);
        yield_now().await;
    }

    /// What `asked` answers to `reads` of (milliseconds since the start, bytes).
    fn answers(
        reads: &[(u64, usize)],
        asked: fn(&mut Window, Instant, usize) -> bool,
    ) -> Vec<bool> {
        let (start, mut window) = (Instant::now(), Window::default());
        let answer = |&(at, bytes): &(u64, usize)| {
            asked(&mut window, start + Duration::from_millis(at), bytes)
        };
        reads.iter().map(answer).collect()
    }

    #[test]
    fn whoever_reads_much_in_one_window_is_in_bulk() {
        let bulk = |reads: &[(u64, usize)]| answers(reads, Window::is_bulk);
        assert_eq!(bulk(&[(0, BULK_BYTES)]), [true]);
        assert_eq!(bulk(&[(0, BULK_BYTES - 1), (99, 1)]), [false, true]);
        assert_eq!(bulk(&[(0, BULK_BYTES - 1), (100, 1), (150, 1)]), [false; 3]);
        // A screen of 6 KiB for each of ten keys in a second.
        let screens: Vec<_> = (0..10).map(|key| (key * 100, 6 * 1024)).collect();
        assert!(!bulk(&screens).contains(&true));
    }

    #[test]
    fn a_small_read_long_after_bulk_is_quiet() {
        let quiet = |reads: &[(u64, usize)]| answers(reads, Window::is_quiet);
        assert_eq!(quiet(&[(0, 1), (99, 1), (100, 1)]), [false, false, true]);
        assert_eq!(quiet(&[(0, 1), (50, BULK_BYTES), (149, 1)]), [false; 3]);
        // In the next window, but not long after bulk.
        let much = (50, BULK_BYTES);
        assert_eq!(quiet(&[(0, 1), much, (120, 1), (150, 1)]), [false, false, false, true]);
        // Pauses are no end.
        assert_eq!(quiet(&[(0, BULK_BYTES), (1000, BULK_BYTES), (1001, 1)]), [false; 3]);
    }

    /// What a session that is in the lane reads at last is a key.
    async fn type_until_home() {
        while is_in_lane() {
            tokio::time::sleep(WINDOW / 10).await;
            note_read(1);
        }
    }

    #[tokio::test]
    async fn whoever_is_in_bulk_goes_into_the_lane_and_comes_back_with_a_key() {
        let places = run(Box::pin(async {
            let mut places = vec![is_in_lane()];
            turn(BULK_BYTES - 1).await;
            places.push(is_in_lane());
            turn(BULK_BYTES).await;
            places.push(is_in_lane());
            // What it starts is started where it came from.
            places.push(tokio::spawn(async { is_in_lane() }).await.unwrap());
            type_until_home().await;
            places.push(is_in_lane());
            places
        }));
        assert_eq!(places.await, [false, false, true, false, false]);
    }

    #[tokio::test]
    async fn what_follows_is_made_anew_once_for_each_move() {
        let made = run(Box::pin(async {
            let (mut place, mut made) = (Place::Home, Vec::new());
            let mut here = || {
                place.follow(|| {
                    made.push(is_in_lane());
                    Err(io::Error::other("whether or not it can"))
                });
            };
            here();
            turn(BULK_BYTES).await;
            here();
            here();
            type_until_home().await;
            here();
            here();
            made
        }));
        assert_eq!(made.await, [true, false]);
    }

    #[tokio::test]
    async fn whoever_keeps_a_crowded_lane_busy_starves_nobody() {
        let (there, mut arrived) = tokio::sync::mpsc::unbounded_channel();
        let busy = async |there: tokio::sync::mpsc::UnboundedSender<()>| {
            turn(BULK_BYTES).await;
            there.send(()).unwrap();
            loop {
                turn(BULK_BYTES).await;
            }
        };
        let _busy: Vec<_> = (0..=stint::CROWD)
            .map(|_| AbortOnDropHandle::new(tokio::spawn(run(Box::pin(busy(there.clone()))))))
            .collect();
        for _ in 0..=stint::CROWD {
            arrived.recv().await.unwrap();
        }
        let begun = run(Box::pin(async {
            turn(BULK_BYTES).await;
            assert!(is_in_lane());
            assert!(QUEUE.is_crowded());
            Stint::default().begin().await;
        }));
        tokio::time::timeout(PATIENCE, begun).await.expect("it never begins");
    }

    #[test]
    fn a_lane_has_as_many_threads_as_there_are_processors_for_them() {
        let processors = thread::available_parallelism().unwrap().get();
        let counts = [1, processors, processors + 1].map(threads_beside);
        assert_eq!(counts, [1, processors, processors]);
    }

    #[test]
    fn whoever_has_read_in_the_lane_lets_others_have_the_processor() {
        thread_local!(static WAYS: Cell<usize> = const { Cell::new(0) });
        let ways = |reads: [usize; 4]| async move {
            GIVE_WAY.set(|| WAYS.set(WAYS.get() + 1));
            let turns = async move {
                for read in reads {
                    turn(read).await;
                }
            };
            let mut task = Task { future: Box::pin(turns), home: Handle::current() };
            poll_fn(|cx| task.poll_turn(cx).0).await;
            WAYS.take()
        };
        static QUEUE: Queue = Queue::new();
        let lane = start(1, &QUEUE).unwrap();
        let in_the_lane = lane.spawn(ways([1, 0, BULK_BYTES, 0]));
        assert_eq!(lane.block_on(in_the_lane).unwrap(), 2);
        assert_eq!(lane.block_on(ways([1; 4])), 0);
    }

    #[tokio::test]
    async fn a_drop_ends_what_is_in_the_lane() {
        let (alive, ended) = oneshot::channel::<()>();
        let (there, arrived) = oneshot::channel();
        let task = tokio::spawn(run(Box::pin(async move {
            turn(BULK_BYTES).await;
            let _alive = alive;
            let _ = there.send(is_in_lane());
            loop {
                turn(BULK_BYTES).await;
            }
        })));
        assert!(arrived.await.unwrap());
        task.abort();
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_in_the_lane_is_the_callers() {
        let task = tokio::spawn(run(Box::pin(async {
            turn(BULK_BYTES).await;
            assert!(!is_in_lane(), "it is in the lane");
        })));
        let panic = task.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"it is in the lane"));
    }
}
