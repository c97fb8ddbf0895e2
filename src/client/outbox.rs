//! What overtakes the input on its way to the server, and how the client is ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Small messages that do not wait behind input: at most one terminal size and one word of flow
/// control, the latest of each.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Something changed.
    pub(super) changed: Notify,
    /// The connection shall be cut.
    pub(super) terminated: Notify,
    /// The caller has closed.
    pub(super) closed: Notify,
}

struct State {
    /// The server takes messages before it says that the command runs. Older ones lose them.
    modern: bool,
    /// The server has said that the command runs.
    running: bool,
    /// The server takes input.
    taking: bool,
    size: Option<Bytes>,
    flow: Option<Bytes>,
    ping: bool,
    closing: bool,
}

/// What to send next besides input.
#[derive(Debug, Default)]
pub(super) struct Urgent {
    pub(super) messages: Vec<Bytes>,
    pub(super) ping: bool,
}

impl Outbox {
    pub(super) fn new(modern: bool) -> Self {
        let state = State {
            modern,
            running: false,
            taking: false,
            size: None,
            flow: None,
            ping: false,
            closing: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            terminated: Notify::new(),
            closed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.state());
        self.changed.notify_one();
    }

    pub(super) fn resize(&self, message: Bytes) {
        self.change(|state| state.size = Some(message));
    }

    pub(super) fn flow(&self, message: Bytes) {
        self.change(|state| state.flow = Some(message));
    }

    pub(super) fn ping(&self) {
        self.change(|state| state.ping = true);
    }

    /// The server takes input, or takes none for now.
    pub(super) fn set_taking(&self, taking: bool) {
        self.change(|state| {
            state.taking = taking;
            state.running |= taking;
        });
    }

    pub(super) fn is_taking(&self) -> bool {
        self.state().taking
    }

    pub(super) fn is_modern(&self) -> bool {
        self.state().modern
    }

    pub(super) fn close(&self) {
        self.change(|state| state.closing = true);
        self.closed.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state().closing
    }

    pub(super) fn terminate(&self) {
        self.terminated.notify_one();
    }

    /// Takes what can be sent now; `None` if there is nothing.
    pub(super) fn take_urgent(&self) -> Option<Urgent> {
        let mut state = self.state();
        let ping = std::mem::take(&mut state.ping);
        let mut messages = Vec::new();
        if state.modern || state.running {
            messages.extend(state.size.take());
            messages.extend(state.flow.take());
        }
        (ping || !messages.is_empty()).then_some(Urgent { messages, ping })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_gets_nothing_before_the_command_runs() {
        let outbox = Outbox::new(false);
        outbox.resize(Bytes::from_static(b"1"));
        outbox.resize(Bytes::from_static(b"2"));
        assert!(outbox.take_urgent().is_none());
        outbox.set_taking(true);
        assert_eq!(outbox.take_urgent().unwrap().messages, ["2"]);
        outbox.set_taking(false);
        outbox.flow(Bytes::from_static(b"p"));
        assert_eq!(outbox.take_urgent().unwrap().messages, ["p"]);
    }

    #[test]
    fn a_server_of_ours_is_told_the_size_at_once() {
        let outbox = Outbox::new(true);
        outbox.resize(Bytes::from_static(b"1"));
        assert_eq!(outbox.take_urgent().unwrap().messages, ["1"]);
        assert!(outbox.take_urgent().is_none());
    }
}
