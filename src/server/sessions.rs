//! The sessions of one server and their limit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// One session, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Unique within its server; sessions that came later have larger ones.
    pub id: u64,
    /// The command with its arguments, the wrapper command in front.
    pub command: Vec<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// The peer's address, if it is known.
    pub remote_address: Option<String>,
}

/// The open sessions.
pub(super) struct Sessions(Arc<Mutex<Table>>);

struct Table {
    open: BTreeMap<u64, (SessionInfo, CancellationToken)>,
    limit: usize,
    last_id: u64,
    closed: bool,
}

type Shared = Arc<Mutex<Table>>;

fn locked(table: &Shared) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    pub(super) fn new(limit: usize) -> Self {
        let table = Table { open: BTreeMap::new(), limit, last_id: 0, closed: false };
        Self(Arc::new(Mutex::new(table)))
    }

    /// A place for a session, if there is one. It is free again when the slot is dropped.
    pub(super) fn admit(&self, describe: impl FnOnce(u64) -> SessionInfo) -> Option<Slot> {
        let mut table = locked(&self.0);
        if table.closed || table.open.len() >= table.limit {
            return None;
        }
        table.last_id += 1;
        let info = describe(table.last_id);
        let cancel = CancellationToken::new();
        table.open.insert(info.id, (info.clone(), cancel.clone()));
        let count = table.open.len();
        drop(table);
        Some(Slot { table: Arc::clone(&self.0), info, cancel, count })
    }

    pub(super) fn list(&self) -> Vec<SessionInfo> {
        locked(&self.0).open.values().map(|(info, _)| info.clone()).collect()
    }

    pub(super) fn cancel(&self, id: u64) -> bool {
        let table = locked(&self.0);
        table.open.get(&id).map(|(_, cancel)| cancel.cancel()).is_some()
    }

    /// Cancels all, and admits none any more.
    pub(super) fn close(&self) {
        let mut table = locked(&self.0);
        table.closed = true;
        for (_, cancel) in table.open.values() {
            cancel.cancel();
        }
    }
}

/// The place of one session.
pub(super) struct Slot {
    table: Shared,
    info: SessionInfo,
    cancel: CancellationToken,
    count: usize,
}

impl Slot {
    pub(super) fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Sessions there were when this one was admitted, itself included.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Is cancelled when the session shall end.
    pub(super) fn cancelled(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Frees the place; answers how many sessions are left.
    pub(super) fn free(self) -> usize {
        let mut table = locked(&self.table);
        table.open.remove(&self.info.id);
        table.open.len()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        locked(&self.table).open.remove(&self.info.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: u64) -> SessionInfo {
        SessionInfo { id, command: vec!["sh".into()], tty: true, remote_address: None }
    }

    #[test]
    fn a_place_is_free_again_when_its_slot_is_dropped() {
        let sessions = Sessions::new(2);
        let first = sessions.admit(info).unwrap();
        let second = sessions.admit(info).unwrap();
        assert_eq!((first.count(), second.count()), (1, 2));
        assert!(sessions.admit(info).is_none());
        drop(first);
        let third = sessions.admit(info).unwrap();
        assert_eq!((third.info().id, sessions.list().len()), (3, 2));
        assert_eq!(third.free(), 1);
        assert_eq!(second.free(), 0);
    }

    #[test]
    fn closing_cancels_all_and_admits_none() {
        let sessions = Sessions::new(2);
        let slot = sessions.admit(info).unwrap();
        sessions.close();
        assert!(slot.cancelled().is_cancelled());
        assert!(sessions.admit(info).is_none());
    }

    #[test]
    fn one_session_can_be_cancelled() {
        let sessions = Sessions::new(2);
        let (one, other) = (sessions.admit(info).unwrap(), sessions.admit(info).unwrap());
        assert!(sessions.cancel(one.info().id) && !sessions.cancel(99));
        assert!(one.cancelled().is_cancelled() && !other.cancelled().is_cancelled());
    }
}
