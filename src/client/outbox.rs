//! What overtakes the input on its way to the server, what need not go through its queue, and how
//! the client is ended.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    pipe::Pipe,
    transport::{Sent, Shortcut},
};

/// Input that comes this soon behind other input is no key: it is queued, so that what comes
/// together is written together.
const KEY_GAP: Duration = Duration::from_millis(1);

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
    /// Something took the shortcut, and is not all written.
    flush: bool,
    closing: bool,
    /// The client's task waits for input, and has nothing else to send.
    idle: bool,
    /// When input came last.
    fed: Option<Instant>,
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
            flush: false,
            closing: false,
            idle: false,
            fed: None,
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

    /// The next input. Until there is some, it may take the shortcut.
    pub(super) fn poll_input(&self, input: &Pipe, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.state();
        let polled = input.poll_next(cx);
        state.idle = polled.is_pending();
        polled
    }

    /// Sends a message of input from this thread, if it is a key: the client's task waits, and
    /// would have to be woken. Answers whether it was sent; if not, `input` is the way.
    pub(super) fn send_key(
        &self,
        now: Instant,
        input: &Pipe,
        shortcut: &Shortcut,
        message: impl FnOnce() -> Bytes,
    ) -> bool {
        let mut state = self.state();
        let fed = state.fed.replace(now);
        let is_key = fed.is_none_or(|fed| now.saturating_duration_since(fed) >= KEY_GAP);
        // Its order is that of the queue, and behind what overtakes the queue.
        let is_next = state.idle
            && state.taking
            && state.size.is_none()
            && state.flow.is_none()
            && input.is_empty();
        if !is_key || !is_next {
            return false;
        }
        match shortcut.try_send(message()) {
            Sent::Whole => true,
            Sent::Queued => {
                state.flush = true;
                self.changed.notify_one();
                true
            }
            Sent::No => false,
        }
    }

    /// The client's task sends no more.
    pub(super) fn stop(&self) {
        self.state().idle = false;
    }

    /// Takes what can be sent now; `None` if there is nothing.
    pub(super) fn take_urgent(&self) -> Option<Urgent> {
        let mut state = self.state();
        let ping = std::mem::take(&mut state.ping);
        let flush = std::mem::take(&mut state.flush);
        let mut messages = Vec::new();
        if state.modern || state.running {
            messages.extend(state.size.take());
            messages.extend(state.flow.take());
        }
        let urgent = ping || flush || !messages.is_empty();
        state.idle &= !urgent;
        urgent.then_some(Urgent { messages, ping })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Waker};

    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{
        protocol::code,
        transport::{Incoming, KeepAlive, Peer, PeerSender, PeerStream},
    };

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

    /// A client's queues on a connection, whose task waits for input, and the other end.
    struct Waiting {
        outbox: Outbox,
        input: Arc<Pipe>,
        sender: PeerSender,
        far: TcpStream,
        now: Instant,
    }

    impl Waiting {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let never = KeepAlive { interval: Duration::ZERO, timeout: Duration::ZERO };
            let peer = Peer::client(PeerStream::Tcp(near), Bytes::new(), 1024, never);
            let (outbox, input) = (Outbox::new(true), Pipe::with_prefix(1024, code::STDIN));
            outbox.set_taking(true);
            let far = listener.accept().await.unwrap().0;
            let waiting = Self { outbox, input, sender: peer.split().0, far, now: Instant::now() };
            assert_eq!(waiting.task(), Poll::Pending);
            waiting
        }

        /// The client's task looks for input.
        fn task(&self) -> Poll<Option<Bytes>> {
            let mut cx = Context::from_waker(Waker::noop());
            self.outbox.poll_input(&self.input, &mut cx)
        }

        /// A key, long after the last one.
        fn key(&mut self, message: &Bytes) -> bool {
            self.now += KEY_GAP;
            self.soon(message)
        }

        fn soon(&self, message: &Bytes) -> bool {
            let shortcut = self.sender.shortcut();
            self.outbox.send_key(self.now, &self.input, &shortcut, || message.clone())
        }

        /// What comes at the other end, without masks.
        async fn messages(self) -> Vec<Bytes> {
            drop(self.sender);
            let never = KeepAlive { interval: Duration::ZERO, timeout: Duration::ZERO };
            let peer = Peer::server(PeerStream::Tcp(self.far), Bytes::new(), 1 << 20, never);
            let (_sender, mut receiver) = peer.split();
            let mut all = Vec::new();
            while let Ok(Incoming::Message(message)) = receiver.next().await {
                all.push(message);
            }
            all
        }
    }

    const KEY: Bytes = Bytes::from_static(b"\x09k");

    #[tokio::test]
    async fn a_key_is_written_at_once_if_nothing_is_before_it() {
        let mut client = Waiting::new().await;
        assert!(client.key(&KEY));
        assert!(!client.soon(&KEY), "it is part of more");
        client.outbox.resize(KEY);
        assert!(!client.key(&KEY), "a size goes before it");
        assert!(client.outbox.take_urgent().is_some());
        assert!(!client.key(&KEY), "the task is sending");
        assert_eq!(client.task(), Poll::Pending);
        assert!(client.key(&KEY));
        client.input.push(KEY);
        assert!(!client.key(&KEY), "input waits before it");
        assert!(client.task().is_ready());
        assert!(!client.key(&KEY), "the task is sending that");
        assert_eq!(client.task(), Poll::Pending);
        client.outbox.set_taking(false);
        assert!(!client.key(&KEY), "the server takes none");
        client.outbox.set_taking(true);
        client.outbox.stop();
        assert!(!client.key(&KEY), "the task is over");
        assert_eq!(client.messages().await, [KEY, KEY]);
    }

    #[tokio::test]
    async fn a_key_that_the_system_takes_no_room_for_is_written_by_the_task() {
        let mut client = Waiting::new().await;
        let numbered = |number: u32| Bytes::from([&number.to_le_bytes()[..], &[0; 1000]].concat());
        let mut sent = 0;
        while client.outbox.take_urgent().is_none() {
            assert!(client.key(&numbered(sent)));
            sent += 1;
        }
        assert_eq!(client.task(), Poll::Pending);
        assert!(!client.key(&KEY), "the rest of another is before it");
        let mut sender = client.sender;
        let flushed = tokio::spawn(async move {
            sender.flush().await.unwrap();
            sender
        });
        let mut far = Vec::new();
        while !flushed.is_finished() {
            far.reserve(1 << 20);
            client.far.read_buf(&mut far).await.unwrap();
        }
        drop(flushed.await.unwrap());
        client.far.read_to_end(&mut far).await.unwrap();
        let header = 8; // two bytes, two of length, four of mask
        assert_eq!(far.len(), sent as usize * (header + 1004));
    }

    #[test]
    fn a_server_of_ours_is_told_the_size_at_once() {
        let outbox = Outbox::new(true);
        outbox.resize(Bytes::from_static(b"1"));
        assert_eq!(outbox.take_urgent().unwrap().messages, ["1"]);
        assert!(outbox.take_urgent().is_none());
    }
}
