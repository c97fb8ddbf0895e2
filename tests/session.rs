//! Sessions from client to container and back, on a real engine.

#[path = "common/engine.rs"]
mod engine;

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use docker_exec_websocket::{
    client::{Client, ClientError, ClientEvent, ClientOptions},
    server::{Handshake, PeerStream, Server, ServerEvent, ServerOptions, SessionInfo},
    session::OnDisconnect,
};
use engine::TestContainer;
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};

/// Far beyond what anything here takes, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A container and a server for it.
struct Bed {
    container: TestContainer,
    server: Server,
    url: String,
    events: mpsc::UnboundedReceiver<ServerEvent>,
}

impl Bed {
    async fn new() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        let container = TestContainer::start();
        let options = ServerOptions::on(container.host.clone(), "/s", container.id.clone());
        let (told, events) = mpsc::unbounded_channel();
        let tell = Arc::new(move |event| drop(told.send(event)));
        let server = Server::new(change(options), tell).unwrap();
        server.check().await.unwrap();
        let address = server.listen("127.0.0.1", 0).await.unwrap();
        Self { container, server, url: format!("ws://{address}/s"), events }
    }

    async fn run(&self, tty: bool, command: &[&str]) -> Session {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        let (told, events) = mpsc::unbounded_channel();
        let tell = Arc::new(move |event| drop(told.send(event)));
        let options = ClientOptions { tty, command, ..ClientOptions::new(self.url.clone()) };
        Session { client: Client::connect(options, tell).await.unwrap(), events }
    }

    /// The next event, but for those that come whenever the processes of a session have ended.
    async fn event(&mut self) -> ServerEvent {
        loop {
            let event = timeout(DEADLINE, self.events.recv()).await.expect("no event came");
            match event.unwrap() {
                ServerEvent::SessionSettled { .. } => {}
                event => return event,
            }
        }
    }

    /// Waits until no process but the container's own is left in it.
    async fn wait_until_empty(&self) {
        let waiting = async {
            while !self.container.processes().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let left = timeout(DEADLINE, waiting).await;
        left.unwrap_or_else(|_| panic!("left: {:?}", self.container.processes()));
    }
}

struct Session {
    client: Client,
    events: mpsc::UnboundedReceiver<ClientEvent>,
}

/// What a session came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Transcript {
    stdout: String,
    stderr: String,
    exit_code: Option<u8>,
    server_errors: Vec<String>,
    close_code: u16,
    error: Option<&'static str>,
}

impl Session {
    fn stdin(&self, bytes: &[u8]) {
        assert_eq!(self.client.input().push_slice(bytes), bytes.len(), "more than fits at once");
    }

    async fn event(&mut self) -> ClientEvent {
        timeout(DEADLINE, self.events.recv()).await.expect("no event came").unwrap()
    }

    /// Takes the first output, which says that the command has come that far.
    async fn wait_for_output(&self) {
        let output = timeout(DEADLINE, poll_fn(|cx| self.client.stdout().poll_next(cx))).await;
        assert!(output.expect("no output came").is_some(), "the output ended");
    }

    /// Reads everything to the end.
    async fn finish(mut self) -> Transcript {
        let (out, err) = (Arc::clone(self.client.stdout()), Arc::clone(self.client.stderr()));
        let read = |pipe: Arc<docker_exec_websocket::pipe::Pipe>| async move {
            let mut all = Vec::new();
            while let Some(chunk) = poll_fn(|cx| pipe.poll_next(cx)).await {
                all.extend_from_slice(&chunk);
            }
            String::from_utf8(all).unwrap()
        };
        let reading = async { tokio::join!(read(out), read(err)) };
        let (stdout, stderr) = timeout(DEADLINE, reading).await.expect("output has no end");
        let mut transcript = Transcript { stdout, stderr, ..Transcript::default() };
        loop {
            match self.event().await {
                ClientEvent::Exit(code) => transcript.exit_code = Some(code),
                ClientEvent::ServerError(text) => transcript.server_errors.push(text),
                ClientEvent::Closed { code, error, .. } => {
                    transcript.close_code = code;
                    transcript.error = error.as_ref().map(ClientError::code);
                    return transcript;
                }
                _ => {}
            }
        }
    }
}

/// `wc` answers only once its stdin ends, so this passes only with a half-close: closing the
/// whole stream would lose the answer, closing nothing would hang.
#[tokio::test]
async fn output_after_the_end_of_stdin_arrives() {
    let bed = Bed::new().await;
    let session = bed.run(false, &["sh", "-c", "wc -c; echo late >&2; exit 7"]).await;
    session.stdin(b"abc");
    session.client.end_input();
    let expected = Transcript {
        stdout: "3\n".into(),
        stderr: "late\n".into(),
        exit_code: Some(7),
        close_code: 1000,
        ..Transcript::default()
    };
    assert_eq!(session.finish().await, expected);
}

#[tokio::test]
async fn the_end_of_stdin_ends_a_command_on_a_terminal() {
    let bed = Bed::new().await;
    let session = bed.run(true, &["cat"]).await;
    session.stdin(b"without a newline");
    session.client.end_input();
    let done = session.finish().await;
    assert_eq!(done.exit_code, Some(0), "{done:?}");
    assert!(done.stdout.contains("without a newline"), "{done:?}");
}

/// Far more than all buffers on the way hold, so the reader's pace reaches the command, and the
/// last byte still comes before the exit code.
#[tokio::test]
async fn s35_a_reader_that_starts_late_gets_every_byte_and_the_exit_code() {
    let bed = Bed::new().await;
    let bytes = 48 << 20;
    let script = format!("head -c {bytes} /dev/zero; exit 3");
    let mut session = bed.run(false, &["sh", "-c", &script]).await;
    assert!(matches!(session.event().await, ClientEvent::Resumed));
    // Full: from here on the socket fills, then the engine's, then the command waits.
    let waiting = async {
        while session.client.stdout().len() < 900_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("the queue never filled");
    let done = session.finish().await;
    assert_eq!((done.stdout.len(), done.exit_code), (bytes, Some(3)), "{:?}", done.error);
}

/// The command has long ended and all is said; what the peer has not read yet waits in the
/// system's buffers, and must survive that it still has something to say.
#[tokio::test]
async fn s35_a_peer_that_stalls_for_longer_than_the_close_timeout_loses_nothing() {
    let short = Duration::from_millis(50);
    let mut bed = Bed::with(|options| ServerOptions { close_timeout: short, ..options }).await;
    let bytes = (2 << 20) + 300_000;
    let script = format!("head -c {bytes} /dev/zero; exit 3");
    let session = bed.run(false, &["sh", "-c", &script]).await;
    assert!(matches!(bed.event().await, ServerEvent::SessionAdded { .. }));
    assert!(matches!(bed.event().await, ServerEvent::SessionRemoved { .. }));
    tokio::time::sleep(short * 10).await; // the stall
    session.client.pause();
    tokio::time::sleep(short).await; // it arrives
    session.client.resume();
    let done = session.finish().await;
    assert_eq!((done.stdout.len(), done.exit_code), (bytes, Some(3)), "{:?}", done.error);
}

/// What is on its way is bounded by the queues of both ends and the sockets between them: a few
/// MiB where systems let sockets grow that large.
#[tokio::test]
async fn s26_input_to_a_command_that_does_not_read_is_bounded_and_the_peer_is_told() {
    let bed = Bed::new().await;
    let mut session = bed.run(false, &["sleep", "4242"]).await;
    assert!(matches!(session.event().await, ClientEvent::Resumed));
    let input = Arc::clone(session.client.input());
    let mut pushed = 0;
    let pushing = async {
        loop {
            poll_fn(|cx| input.poll_room(cx)).await;
            pushed += input.push_slice(&[b'x'; 32 * 1024]);
            assert!(pushed < 64 << 20, "input is taken without end");
        }
    };
    tokio::select! {
        () = pushing => unreachable!(),
        event = timeout(DEADLINE, session.events.recv()) => {
            assert!(matches!(event, Ok(Some(ClientEvent::Paused))), "{event:?}");
        }
    }
    session.client.terminate();
    bed.wait_until_empty().await;
}

#[tokio::test]
async fn s32_the_whole_process_tree_goes_with_the_peer() {
    for tty in [false, true] {
        let bed = Bed::new().await;
        let script = "trap '' HUP TERM; setsid sleep 4242 & (sleep 4242 &) ; echo up; wait";
        let session = bed.run(tty, &["sh", "-c", script]).await;
        session.wait_for_output().await;
        assert!(!bed.container.processes().is_empty());
        session.client.terminate();
        bed.wait_until_empty().await;
    }
}

#[tokio::test]
async fn a_command_is_left_to_run_where_the_server_says_so() {
    let mut bed =
        Bed::with(|options| ServerOptions { on_disconnect: OnDisconnect::Leave, ..options }).await;
    let session = bed.run(false, &["sh", "-c", "echo up; sleep 4242"]).await;
    session.wait_for_output().await;
    assert!(matches!(bed.event().await, ServerEvent::SessionAdded { .. }));
    session.client.terminate();
    assert!(matches!(bed.event().await, ServerEvent::SessionRemoved { count: 0, .. }));
    bed.server.close().await;
    assert_ne!(bed.container.processes(), [""; 0]);
}

/// The start cannot be taken back once it was asked for, so the command is ended afterwards.
#[tokio::test]
async fn a_peer_that_leaves_before_the_command_runs_leaves_nothing_behind() {
    let mut bed = Bed::new().await;
    for _ in 0..5 {
        let session = bed.run(false, &["sleep", "4242"]).await;
        session.client.terminate();
        assert!(matches!(bed.event().await, ServerEvent::SessionAdded { .. }));
        assert!(matches!(bed.event().await, ServerEvent::SessionRemoved { count: 0, .. }));
    }
    bed.server.close().await;
    assert_eq!(bed.container.processes(), [""; 0]);
}

#[tokio::test]
async fn closing_tells_every_peer_and_ends_every_command() {
    let bed = Bed::new().await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let mut session = bed.run(false, &["cat"]).await;
        assert!(matches!(session.event().await, ClientEvent::Resumed));
        sessions.push(session);
    }
    assert_eq!(bed.server.sessions().len(), 4);
    bed.server.close().await;
    assert_eq!(bed.container.processes(), [""; 0]);
    for mut session in sessions {
        assert!(matches!(session.event().await, ClientEvent::Shutdown));
        let closed = session.event().await;
        assert!(
            matches!(closed, ClientEvent::Closed { code: 1001, error: None, .. }),
            "{closed:?}"
        );
    }
    assert_eq!(bed.server.sessions(), []);
}

/// An end of a connection that is read byte by byte.
struct Slow(DuplexStream);

impl Slow {
    async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = timeout(DEADLINE, self.0.read_exact(&mut bytes)).await;
        let _ = read.expect("nothing came").expect("the connection ended");
        bytes
    }
}

#[tokio::test]
async fn a_peer_that_is_being_told_the_exit_code_hears_it_although_the_server_closes() {
    let bed = Bed::new().await;
    // It holds so little that everything waits for its reader.
    let (near, far) = duplex(2);
    let mut peer = Slow(near);
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let request = Handshake {
        method: "GET".to_owned(),
        target: "/s?command=sh&command=-c&command=printf%20out;exit%203".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        remote_address: None,
        secure: false,
    };
    assert!(bed.server.refusal(&request).is_none());
    bed.server.accept(PeerStream::Bridge(Box::new(far)), Bytes::new(), &request).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(peer.read(1).await);
    }
    assert_eq!(peer.read(3 + 6).await, b"\x82\x01\x64\x82\x04\x01out");
    assert_eq!(peer.read(1).await, b"\x82", "what is said of the exit code");
    let server = bed.server.clone();
    let closing = tokio::spawn(async move { server.close().await });
    // This thread runs everything: now the session knows of it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.read(3 + 4).await, b"\x02\xc8\x03\x88\x02\x03\xe8");
    drop(peer);
    timeout(DEADLINE, closing).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_session_more_than_the_limit_is_told_so() {
    let mut bed = Bed::with(|options| ServerOptions { max_sessions: 1, ..options }).await;
    let first = bed.run(false, &["cat"]).await;
    let ServerEvent::SessionAdded { session, count: 1 } = bed.event().await else {
        panic!("the first session was not added");
    };
    let SessionInfo { id, command, tty, remote_address } = session;
    assert_eq!((id, command, tty), (1, vec!["cat".to_owned()], false));
    assert_eq!(remote_address.as_deref(), Some("127.0.0.1"));
    let refused = bed.run(false, &["cat"]).await.finish().await;
    assert_eq!(refused.server_errors, ["Too many sessions active!"]);
    assert_eq!((refused.close_code, refused.exit_code, refused.error), (1013, None, None));
    first.client.end_input();
    assert_eq!(first.finish().await.exit_code, Some(0));
}

#[tokio::test]
async fn a_missing_container_is_told_to_the_peer() {
    let bed = Bed::new().await;
    bed.container.remove();
    let done = bed.run(false, &["true"]).await.finish().await;
    assert_eq!((done.close_code, done.exit_code), (1011, None));
    let told = done.server_errors[0].to_lowercase(); // podman does not begin with a capital
    assert!(told.contains("no such container"), "{told}");
    assert_eq!(bed.server.check().await.unwrap_err().code(), "DEW_ENGINE_NOT_FOUND");
}

#[tokio::test]
async fn s36_every_exit_code_comes_as_it_is() {
    let bed = Bed::new().await;
    for exit_code in [0, 1, 126, 127, 128, 200, 255] {
        let done = bed.run(false, &["sh", "-c", &format!("exit {exit_code}")]).await.finish().await;
        assert_eq!(done.exit_code, Some(exit_code));
    }
    let done = bed.run(false, &["sh", "-c", "kill -9 $$"]).await.finish().await;
    assert_eq!(done.exit_code, Some(137));
    let lost = bed.run(false, &["sleep", "4242"]).await;
    lost.stdin(b"x");
    let mut lost = lost;
    assert!(matches!(lost.event().await, ClientEvent::Resumed));
    bed.container.remove();
    let done = lost.finish().await;
    assert_eq!((done.exit_code, done.close_code), (None, 1011), "{done:?}");
}

/// The shell ends at once; what it left in the background holds its output for longer than this
/// test waits.
#[tokio::test]
async fn a_background_process_does_not_hold_up_the_exit_code() {
    let bed = Bed::new().await;
    let done = bed.run(false, &["sh", "-c", "sleep 4242 & echo hi; exit 5"]).await.finish().await;
    assert_eq!((done.stdout.as_str(), done.exit_code), ("hi\n", Some(5)));
    assert_eq!(bed.container.processes(), ["sleep 4242"]);
}

#[tokio::test]
async fn output_that_ends_early_does_not_end_the_session() {
    let bed = Bed::new().await;
    let script = "exec >&- 2>&-; sleep 1; exit 9";
    let done = bed.run(false, &["sh", "-c", script]).await.finish().await;
    assert_eq!(done.exit_code, Some(9));
}

#[tokio::test]
async fn s20_arguments_arrive_as_they_were_given() {
    let bed = Bed::new().await;
    let hostile =
        ["$(id)", "`id`", "a b", "'", "\"", "\\", ";", "&", "|", "\n", "é", "", "-n", "%41+"];
    let command = [&["printf", "[%s]"], hostile.as_slice()].concat();
    let done = bed.run(false, &command).await.finish().await;
    let expected: String = hostile.iter().map(|word| format!("[{word}]")).collect();
    assert_eq!(done.stdout, expected);
}

#[tokio::test]
async fn unknown_and_empty_messages_are_ignored_and_broken_ones_are_told() {
    let bed = Bed::new().await;
    let session = bed.run(false, &["cat"]).await;
    for wire in [&[99, 1, 2][..], &[50, 1], &[50, 1, 0, 2, 0], &[0, b'o', b'k'], &[102]] {
        session.client.input().push(Bytes::copy_from_slice(wire));
    }
    let done = session.finish().await;
    assert_eq!((done.stdout.as_str(), done.exit_code), ("ok", Some(0)));
    assert_eq!(done.server_errors.len(), 2, "{:?}", done.server_errors);
    assert!(done.server_errors[0].starts_with("resize needs 4 bytes"), "{:?}", done.server_errors);
    assert_eq!(done.server_errors[1], "cannot resize, not a tty instance");
}
