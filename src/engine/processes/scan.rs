//! Looks at all processes of this machine, shared by all who want one at the same moment.
//!
//! A look reads thousands of small files, and a server that ends a hundred sessions wants a
//! hundred of them at once. One that has begun may have passed a process by already, so it
//! serves only those who asked before it began; all who ask during it share the next one.
//! Nobody waits for more than the rest of one look and the whole of another, and who asks
//! alone does not wait at all.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::marker::{MARKER_VARIABLE, Marker};
use super::tree::Process;

/// The looks of this program.
static LOOKS: Looks = Looks::new();

/// All processes, none of them seen before this call.
pub(super) async fn processes() -> Arc<[Process]> {
    LOOKS.look(scan).await
}

/// One process, without its marker; `None` if it is gone.
pub(super) fn read_process(pid: u32) -> Option<Process> {
    // Not text: a program may call itself anything.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Process::from_stat(pid, &String::from_utf8_lossy(&stat))
}

/// Looks that are shared.
struct Looks {
    /// How many have been asked for.
    asked: AtomicU64,
    /// What the latest has found. Whoever holds the lock looks.
    latest: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// It serves the first so many who asked, since it began after that.
    serves: u64,
    processes: Option<Arc<[Process]>>,
}

impl Looks {
    const fn new() -> Self {
        let nothing = Found { serves: 0, processes: None };
        Self { asked: AtomicU64::new(0), latest: Mutex::const_new(nothing) }
    }

    async fn look(&self, scan: impl FnOnce() -> Vec<Process> + Send + 'static) -> Arc<[Process]> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut latest = self.latest.lock().await;
        if let Some(processes) = latest.processes.as_ref().filter(|_| number < latest.serves) {
            return Arc::clone(processes);
        }
        // An old list is of no use to anybody any more, also if this call is given up.
        *latest = Found::default();
        let serves = self.asked.load(Ordering::SeqCst);
        // Not on a thread that others wait for.
        let processes = tokio::task::spawn_blocking(scan).await.unwrap_or_default();
        let processes: Arc<[Process]> = processes.into();
        // Nobody else waits for the list of who asked alone.
        if serves > number + 1 {
            *latest = Found { serves, processes: Some(Arc::clone(&processes)) };
        }
        processes
    }
}

fn scan() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let marked = |mut process: Process| {
        process.marker = read_marker(process.pid);
        process
    };
    pids.filter_map(read_process).map(marked).collect()
}

fn read_marker(pid: u32) -> Option<Marker> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|&byte| byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(MARKER_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        str::from_utf8(value).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    /// A list that tells which look it comes from.
    fn list(number: u32) -> Vec<Process> {
        let stat = format!("(x) S 0 0 0 0 {}1", "0 ".repeat(14));
        vec![Process::from_stat(number, &stat).unwrap()]
    }

    #[tokio::test]
    async fn all_who_ask_during_a_look_share_the_next_one() {
        let looks = Arc::new(Looks::new());
        let begun = Arc::new(AtomicU64::new(0));
        let (go, gate) = mpsc::channel::<()>();
        let mut gate = Some(gate);
        let mut ask = || {
            let (looks, begun, gate) = (Arc::clone(&looks), Arc::clone(&begun), gate.take());
            tokio::spawn(async move {
                let scan = move || {
                    let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
                    // The first one waits for the others to have asked.
                    gate.map(|gate| gate.recv());
                    list(u32::try_from(number).unwrap())
                };
                looks.look(scan).await[0].pid
            })
        };
        let first = ask();
        while begun.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        let others: Vec<_> = (0..100).map(|_| ask()).collect();
        while looks.asked.load(Ordering::SeqCst) < 101 {
            yield_now().await;
        }
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 1, "who asked first waited for another look");
        for other in others {
            assert_eq!(other.await.unwrap(), 2, "a look that had begun before served");
        }
        let late = ask().await.unwrap();
        assert_eq!(late, 3, "a look that was over served");
    }

    #[tokio::test]
    async fn who_gives_up_takes_nobody_along() {
        let looks = Looks::new();
        let (go, gate) = mpsc::channel::<()>();
        let hanging = looks.look(move || {
            let _ = gate.recv();
            list(1)
        });
        tokio::select! {
            biased;
            _ = hanging => unreachable!("its look has not ended"),
            () = yield_now() => {}
        }
        assert_eq!(looks.look(|| list(2)).await[0].pid, 2);
        drop(go);
    }

    #[tokio::test]
    async fn we_are_among_the_processes() {
        let own = std::process::id();
        assert!(processes().await.iter().any(|process| process.pid == own && !process.is_over()));
    }
}
