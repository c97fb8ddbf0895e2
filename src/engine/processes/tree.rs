//! Which of a container's processes belong to a session. Pure: it works on a list.

use std::collections::HashSet;

use super::marker::Marker;

/// One process, numbered in the namespace of whoever made the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// The process that began its session (`setsid`); it may be gone.
    pub(super) session: u32,
    /// Together with the pid it names a process for good.
    pub(super) started: u64,
    state: u8,
    /// Whether it has a controlling terminal.
    pub(super) terminal: bool,
    pub(super) marker: Option<Marker>,
}

/// What names a process for good, until the next boot.
pub(super) type Identity = (u32, u64);

impl Process {
    /// From `/proc/PID/stat`, or what follows the program's name in it.
    pub(super) fn from_stat(pid: u32, stat: &str) -> Option<Self> {
        // The name in parentheses can hold anything, further parentheses too.
        let fields = stat.rsplit_once(')').map_or(stat, |(_, fields)| fields);
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            terminal: *fields.get(4)? != "0",
            started: fields.get(19)?.parse().ok()?,
            marker: None,
        })
    }

    /// Whether it has ended, and only waits for its parent to notice.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    pub(super) fn identity(&self) -> Identity {
        (self.pid, self.started)
    }
}

/// The processes of a session: those that `is_root` or `known` name, their
/// descendants, and all that share a session (in the sense of `setsid`) with them.
///
/// A descendant that cleared its environment, began a session of its own and lost its
/// parent is found only while it is `known` from an earlier list.
pub(super) fn select<'a>(
    all: &'a [Process],
    is_root: impl Fn(&Process) -> bool,
    known: &HashSet<Identity>,
) -> Vec<&'a Process> {
    let living: Vec<&Process> = all.iter().filter(|process| !process.is_over()).collect();
    let pids: HashSet<u32> = all.iter().map(|process| process.pid).collect();
    let mut ours: HashSet<u32> = HashSet::new();
    let mut sessions: HashSet<u32> = HashSet::new();
    // What ended is a parent still while it waits to be noticed, so its children count.
    for process in all {
        if is_root(process) || known.contains(&process.identity()) {
            ours.insert(process.pid);
        }
    }
    loop {
        let before = ours.len() + sessions.len();
        for process in all {
            if ours.contains(&process.parent) || sessions.contains(&process.session) {
                ours.insert(process.pid);
            }
            // The session of a living stranger is his, though one of ours is in it.
            let leader = process.session;
            if ours.contains(&process.pid) && (ours.contains(&leader) || !pids.contains(&leader)) {
                sessions.insert(leader);
            }
        }
        if ours.len() + sessions.len() == before {
            return living.into_iter().filter(|process| ours.contains(&process.pid)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, session: u32, state: char) -> Process {
        let stat = format!("{pid} (a) b) {state} {parent} {pid} {session}{}", " 0".repeat(15));
        Process::from_stat(pid, &format!("{stat} {}", pid * 10)).unwrap()
    }

    fn selected(all: &[Process], roots: &[u32], known: &[Identity]) -> Vec<u32> {
        let known = known.iter().copied().collect();
        let ours = select(all, |process| roots.contains(&process.pid), &known);
        ours.into_iter().map(|process| process.pid).collect()
    }

    #[test]
    fn a_stat_line_is_read_past_any_name() {
        let stat = "7 (evil) S 1 (x) S 3 7 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 998877 1 2";
        let process = Process::from_stat(7, stat).unwrap();
        assert_eq!((process.parent, process.session, process.started), (3, 6, 998_877));
        assert_eq!(Process::from_stat(7, "7 (x) S 1 2"), None);
        assert_eq!(Process::from_stat(7, ""), None);
    }

    #[test]
    fn descendants_and_session_mates_are_ours_and_strangers_are_not() {
        let all = [
            process(1, 0, 1, 'S'),
            process(10, 0, 10, 'S'), // the command
            process(11, 10, 10, 'S'),
            process(12, 11, 12, 'S'), // setsid
            process(13, 12, 12, 'S'),
            process(14, 1, 12, 'S'), // lost its parent, kept its session
            process(20, 0, 20, 'S'), // another session's command
            process(21, 20, 20, 'S'),
        ];
        assert_eq!(selected(&all, &[10], &[]), [10, 11, 12, 13, 14]);
    }

    #[test]
    fn a_session_outlives_its_leader() {
        let all = [process(1, 0, 1, 'S'), process(11, 1, 10, 'S'), process(15, 1, 10, 'S')];
        assert_eq!(selected(&all, &[11], &[]), [11, 15]);
    }

    #[test]
    fn a_process_in_a_strangers_session_does_not_make_it_ours() {
        let all = [process(1, 0, 1, 'S'), process(2, 1, 1, 'S'), process(10, 0, 1, 'S')];
        assert_eq!(selected(&all, &[10], &[]), [10]);
    }

    #[test]
    fn what_was_known_stays_ours_and_a_reused_pid_does_not() {
        let all = [process(1, 0, 1, 'S'), process(30, 1, 30, 'S')];
        assert_eq!(selected(&all, &[], &[(30, 300)]), [30]);
        assert_eq!(selected(&all, &[], &[(30, 299)]), [0; 0]);
    }

    #[test]
    fn the_dead_are_not_listed_and_their_children_are() {
        let all = [process(10, 0, 10, 'Z'), process(11, 10, 11, 'S')];
        assert_eq!(selected(&all, &[10], &[]), [11]);
    }
}
