//! What the directions of a session tell one another. Pure: no I/O, no clock.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{engine::TerminalSize, protocol::ServerMessage};

/// The most error texts that wait to be sent; what a peer provokes beyond that is not told.
const ERRORS: usize = 8;

/// The small state that all directions of one session share. They live in one task, so the lock
/// is never contended.
#[derive(Default)]
pub(super) struct Flow {
    state: Mutex<State>,
    /// Something changed that the sending direction acts on.
    pub(super) changed: Notify,
    /// There is a new terminal size.
    pub(super) resized: Notify,
}

#[derive(Default)]
struct State {
    peer_paused: bool,
    writing: bool,
    over: bool,
    ping: bool,
    flow_word: Option<ServerMessage>,
    errors: VecDeque<String>,
    size: Option<TerminalSize>,
}

/// What the sending direction has to say besides output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) messages: Vec<Bytes>,
    pub(super) ping: bool,
}

impl Flow {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer wants no more output, or wants it again.
    pub(super) fn set_peer_paused(&self, paused: bool) {
        self.state().peer_paused = paused;
        self.changed.notify_one();
    }

    pub(super) fn is_peer_paused(&self) -> bool {
        self.state().peer_paused
    }

    /// The sending direction waits for the socket, or no longer does.
    pub(super) fn set_writing(&self, writing: bool) {
        self.state().writing = writing;
    }

    /// Whether silence of the peer means nothing at the moment.
    pub(super) fn is_peer_excused(&self) -> bool {
        let state = self.state();
        state.peer_paused || state.writing
    }

    /// The command itself has ended: the end of its output should be near.
    pub(super) fn set_over(&self) {
        self.state().over = true;
        self.changed.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    /// Asks the peer to pause or to resume its input. Only the latest of the two is sent.
    pub(super) fn tell(&self, word: ServerMessage) {
        self.state().flow_word = Some(word);
        self.changed.notify_one();
    }

    /// Tells the peer about a mistake that the session survives.
    pub(super) fn tell_error(&self, text: impl Into<String>) {
        let mut state = self.state();
        if state.errors.len() < ERRORS {
            state.errors.push_back(text.into());
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn ping(&self) {
        self.state().ping = true;
        self.changed.notify_one();
    }

    /// Takes what there is to say; `None` if there is nothing.
    pub(super) fn take_words(&self) -> Option<Words> {
        let mut state = self.state();
        let mut messages: Vec<Bytes> =
            state.errors.drain(..).map(|text| ServerMessage::Error(text.into()).encode()).collect();
        messages.extend(state.flow_word.take().map(|word| word.encode()));
        let ping = std::mem::take(&mut state.ping);
        (ping || !messages.is_empty()).then_some(Words { messages, ping })
    }

    /// Sets the size that the terminal shall have. A later one replaces an earlier one that
    /// was not applied yet, so a flood of them costs one engine call at a time.
    pub(super) fn set_size(&self, size: TerminalSize) {
        self.state().size = Some(size);
        self.resized.notify_one();
    }

    pub(super) fn take_size(&self) -> Option<TerminalSize> {
        self.state().size.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_flow_word_is_sent() {
        let flow = Flow::default();
        assert_eq!(flow.take_words(), None);
        flow.tell(ServerMessage::Pause);
        flow.tell(ServerMessage::Resume);
        let words = flow.take_words().unwrap();
        assert_eq!(words.messages, [ServerMessage::Resume.encode()]);
        assert_eq!(flow.take_words(), None);
    }

    #[test]
    fn error_texts_are_bounded() {
        let flow = Flow::default();
        for _ in 0..100 {
            flow.tell_error("no");
        }
        assert_eq!(flow.take_words().unwrap().messages.len(), ERRORS);
    }

    #[test]
    fn s29_only_the_latest_size_is_applied() {
        let flow = Flow::default();
        for rows in 1..=100 {
            flow.set_size(TerminalSize { rows, cols: 80 });
        }
        assert_eq!(flow.take_size(), Some(TerminalSize { rows: 100, cols: 80 }));
        assert_eq!(flow.take_size(), None);
    }
}
