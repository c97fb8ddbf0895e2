//! Ending processes: who gets which signal, and when.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::tree::{Identity, Process, select};
use super::{EndReport, EndedBy, Left};
use crate::engine::EngineError;

/// How long after the hang-up whoever has a terminal is asked once more, with TERM:
/// `nohup` and its like ignore the first.
const TERM_AFTER: Duration = Duration::from_millis(100);
/// How long a killed process may take to go. It takes microseconds, except in a paused
/// container, where it waits for the end of the pause.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How often killing is repeated for those that were born meanwhile. The second round
/// finds nothing, unless somebody forks faster than we look.
const KILL_ROUNDS: usize = 5;

/// The signals that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Hangup,
    Terminate,
    Continue,
    Kill,
}

/// A place from which a container's processes can be seen and signalled.
pub(super) trait Backend {
    const KIND: EndedBy;

    /// All processes, ours or not.
    async fn look(&mut self) -> Result<Arc<[Process]>, EngineError>;

    /// Sends `signal` to each that is still there.
    async fn signal(&mut self, to: &[Process], signal: Signal) -> Result<(), EngineError>;

    /// Waits until all have ended, at most until `deadline`; returns the others.
    async fn wait(
        &mut self,
        of: &[Process],
        deadline: Instant,
    ) -> Result<Vec<Process>, EngineError>;
}

/// Ends what descends from the processes that `is_root` names.
///
/// Politely at first: HUP to those with a terminal, as if it had been closed, TERM to
/// the others and later to all, CONT so that stopped ones hear it. What is left after
/// `grace`, and what was born meanwhile, is killed.
pub(super) async fn end<B: Backend>(
    backend: &mut B,
    is_root: impl Fn(&Process) -> bool,
    grace: Duration,
) -> Result<EndReport, EngineError> {
    let mut known: HashSet<Identity> = HashSet::new();
    let living = find(backend, &is_root, &mut known).await?;
    if living.is_empty() {
        return Ok(EndReport { ended: 0, left: Left::Nothing, by: EndedBy::Nobody });
    }
    let living = ask(backend, living, grace).await?;
    if !living.is_empty() {
        backend.signal(&living, Signal::Kill).await?;
    }
    let mut left = Vec::new();
    for _ in 0..KILL_ROUNDS {
        left = find(backend, &is_root, &mut known).await?;
        if left.is_empty() {
            break;
        }
        backend.signal(&left, Signal::Kill).await?;
        left = backend.wait(&left, Instant::now() + KILL_WAIT).await?;
        if !left.is_empty() {
            break;
        }
    }
    Ok(EndReport {
        ended: known.len() - left.len(),
        left: if left.is_empty() { Left::Nothing } else { Left::Processes(left.len()) },
        by: B::KIND,
    })
}

/// Looks for processes of ours and remembers them.
async fn find(
    backend: &mut impl Backend,
    is_root: impl Fn(&Process) -> bool,
    known: &mut HashSet<Identity>,
) -> Result<Vec<Process>, EngineError> {
    let all = backend.look().await?;
    let ours: Vec<Process> = select(&all, is_root, known).into_iter().cloned().collect();
    known.extend(ours.iter().map(Process::identity));
    Ok(ours)
}

/// Asks processes to end, and waits for that at most `grace`; returns those that have not.
async fn ask(
    backend: &mut impl Backend,
    living: Vec<Process>,
    grace: Duration,
) -> Result<Vec<Process>, EngineError> {
    let start = Instant::now();
    let (terminal, other): (Vec<Process>, Vec<Process>) =
        living.iter().cloned().partition(|process| process.terminal);
    backend.signal(&other, Signal::Terminate).await?;
    backend.signal(&terminal, Signal::Hangup).await?;
    backend.signal(&living, Signal::Continue).await?;
    let mut living = living;
    if !terminal.is_empty() && grace > TERM_AFTER {
        living = backend.wait(&living, start + TERM_AFTER).await?;
        backend.signal(&living, Signal::Terminate).await?;
    }
    backend.wait(&living, start + grace).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container whose processes end only as `ends` says.
    struct Fake {
        all: Vec<Process>,
        ends: fn(&Process, Signal) -> bool,
        sent: Vec<(u32, Signal)>,
    }

    impl Backend for Fake {
        const KIND: EndedBy = EndedBy::Host;

        async fn look(&mut self) -> Result<Arc<[Process]>, EngineError> {
            Ok(self.all.clone().into())
        }

        async fn signal(&mut self, to: &[Process], signal: Signal) -> Result<(), EngineError> {
            self.sent.extend(to.iter().map(|process| (process.pid, signal)));
            let ends = self.ends;
            self.all.retain(|process| !to.contains(process) || !ends(process, signal));
            Ok(())
        }

        async fn wait(
            &mut self,
            of: &[Process],
            deadline: Instant,
        ) -> Result<Vec<Process>, EngineError> {
            let left: Vec<Process> =
                of.iter().filter(|process| self.all.contains(process)).cloned().collect();
            if !left.is_empty() {
                tokio::time::sleep_until(deadline).await;
            }
            Ok(left)
        }
    }

    fn process(pid: u32, parent: u32, terminal: u32) -> Process {
        let tail = "0 ".repeat(14);
        let stat = format!("(x) S {parent} {pid} {pid} {terminal} {tail}{pid}");
        Process::from_stat(pid, &stat).unwrap()
    }

    async fn run(all: Vec<Process>, ends: fn(&Process, Signal) -> bool) -> (EndReport, Fake) {
        let mut fake = Fake { all, ends, sent: Vec::new() };
        let report = end(&mut fake, |process| process.pid == 10, Duration::from_secs(1)).await;
        (report.unwrap(), fake)
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_terminal_there_is_no_hangup() {
        let all = vec![process(1, 0, 0), process(10, 0, 0), process(11, 10, 0)];
        let (report, fake) = run(all, |_, signal| signal == Signal::Terminate).await;
        assert_eq!((report.ended, report.left), (2, Left::Nothing));
        assert_eq!(fake.sent[..2], [(10, Signal::Terminate), (11, Signal::Terminate)]);
        assert!(fake.sent.iter().all(|&(pid, signal)| pid != 1 && signal != Signal::Kill));
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_hangs_up_before_anything_else() {
        let (report, fake) = run(vec![process(10, 0, 5)], |_, signal| signal == Signal::Kill).await;
        assert_eq!((report.ended, report.left), (1, Left::Nothing));
        use Signal::{Continue, Hangup, Kill, Terminate};
        assert_eq!(fake.sent, [Hangup, Continue, Terminate, Kill].map(|signal| (10, signal)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_killed_is_reported_in_bounded_time() {
        let start = Instant::now();
        let (report, _) = run(vec![process(10, 0, 0)], |_, _| false).await;
        assert_eq!((report.ended, report.left), (0, Left::Processes(1)));
        assert!(start.elapsed() <= Duration::from_secs(1) + KILL_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_end_is_no_work() {
        let (report, fake) = run(vec![process(1, 0, 0)], |_, _| true).await;
        assert_eq!((report.ended, report.left, report.by), (0, Left::Nothing, EndedBy::Nobody));
        assert_eq!(fake.sent, []);
    }
}
