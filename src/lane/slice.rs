//! How long the system lets a thread run at a time, where others want the processor.

use std::time::Duration;

/// Asks for slices of this length for the calling thread, and for threads and processes that it
/// starts from now on; answers whether it has them. Its share of the processor stays what it is.
#[cfg(target_os = "linux")]
pub(super) fn set(slice: Duration) -> bool {
    let Some(now) = linux::attributes() else { return false };
    let wanted = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // Whoever has set another policy wants that one.
    now.policy == linux::OTHER
        && linux::set_attributes(linux::Attributes { runtime: wanted, ..now })
        && linux::attributes().is_some_and(|set| set.runtime == wanted)
}

/// There is no such thing elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn set(_: Duration) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    /// `struct sched_attr` of sched_setattr(2), as far as Linux 3.14 knew it.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default)]
    pub(super) struct Attributes {
        pub(super) size: u32,
        pub(super) policy: u32,
        pub(super) flags: u64,
        pub(super) nice: i32,
        pub(super) priority: u32,
        /// Of policy [`OTHER`]: the slice in nanoseconds, from 100 us to 100 ms. Linux before 6.12
        /// neither takes it nor tells it.
        pub(super) runtime: u64,
        pub(super) deadline: u64,
        pub(super) period: u64,
    }

    /// `SCHED_OTHER`, the policy of whoever asks for none.
    pub(super) const OTHER: u32 = 0;

    const SIZE: u32 = size_of::<Attributes>() as u32;

    /// Those of the calling thread.
    #[expect(unsafe_code, reason = "no library that is kept up makes this call")]
    pub(super) fn attributes() -> Option<Attributes> {
        let mut attributes = Attributes::default();
        // SAFETY: the kernel writes at most SIZE bytes, to where there are as many, and any bytes
        // make numbers. Thread 0 is the one that calls, and there are no flags.
        let done =
            unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
        (done == 0).then_some(attributes)
    }

    /// Makes them those of the calling thread; answers whether the system takes them.
    #[expect(unsafe_code, reason = "no library that is kept up makes this call")]
    pub(super) fn set_attributes(attributes: Attributes) -> bool {
        let attributes = Attributes { size: SIZE, ..attributes };
        // SAFETY: the kernel reads SIZE bytes, from where there are as many. Thread 0 is the one
        // that calls, and there are no flags.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::lane::{self, Queue, SLICE};

    /// Whether this system has slices to be asked for.
    fn has_slices() -> bool {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let mut next = || numbers.next().unwrap().unwrap();
        (next(), next()) >= (6, 12)
    }

    #[test]
    fn a_thread_has_the_slice_that_it_asks_for_and_is_what_it_was_otherwise() {
        std::thread::spawn(|| {
            let before = linux::attributes().unwrap();
            for slice in [SLICE, Duration::from_millis(2)] {
                assert_eq!(set(slice), has_slices());
            }
            let after = linux::attributes().unwrap();
            let runtime = if has_slices() { 2_000_000 } else { before.runtime };
            let expected = linux::Attributes { runtime, ..before };
            assert_eq!(format!("{after:?}"), format!("{expected:?}"));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_slice_that_the_system_makes_another_one_is_not_had() {
        std::thread::spawn(|| assert!(!set(Duration::from_micros(1)))).join().unwrap();
    }

    #[test]
    fn threads_of_the_lane_have_short_slices() {
        static QUEUE: Queue = Queue::new();
        let lane = lane::start(1, &QUEUE).unwrap();
        let there = lane.spawn(async { linux::attributes().unwrap().runtime });
        let there = Duration::from_nanos(lane.block_on(there).unwrap());
        assert_eq!(there == SLICE, has_slices(), "{there:?}");
    }
}
