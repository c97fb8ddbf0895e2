//! The engine module against engines that misbehave: sockets of our own, one script each.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use docker_exec_websocket::engine::{
    Engine, EngineError, EngineHost, EngineOptions, ExecSpec, TerminalSize,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

const VERSION: &str = r#"{"Version":"1","ApiVersion":"1.41"}"#;

/// What to do with a request.
enum Reply {
    /// Answer it: status line after `HTTP/1.1 `, more header lines, body.
    With(&'static str, &'static str, &'static str),
    /// Answer 101 and send this.
    Hijack(&'static [u8]),
    /// Answer 101 and send nothing, ever.
    HijackSilently,
    /// Close the connection.
    Close,
    /// Never answer.
    Silence,
}

/// A socket that answers every request as `script` says of its number and first line.
struct Fake {
    path: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Fake {
    fn start(name: &str, script: fn(usize, &str) -> Reply) -> Self {
        let file = format!("dew-fake-{name}-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(file);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(bind(&path), Arc::clone(&seen), script));
        Self { path, seen, task }
    }

    /// Drops every connection, and takes no more.
    async fn stop(&mut self) {
        self.task.abort();
        while !self.task.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// Drops every connection and comes back as another engine.
    async fn restart(&mut self, script: fn(usize, &str) -> Reply) {
        self.stop().await;
        self.task = tokio::spawn(serve(bind(&self.path), Arc::clone(&self.seen), script));
    }

    fn engine(&self, call_timeout: Duration) -> Engine {
        let options = EngineOptions { call_timeout, ..EngineOptions::default() };
        Engine::new(EngineHost::Unix(self.path.clone()), options)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind(path: &PathBuf) -> UnixListener {
    let _ = std::fs::remove_file(path);
    UnixListener::bind(path).unwrap()
}

async fn serve(
    listener: UnixListener,
    seen: Arc<Mutex<Vec<String>>>,
    script: fn(usize, &str) -> Reply,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, Arc::clone(&seen), script));
    }
}

async fn converse(
    mut stream: UnixStream,
    seen: Arc<Mutex<Vec<String>>>,
    script: fn(usize, &str) -> Reply,
) {
    while let Some(line) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(line.clone());
            seen.len()
        };
        let answer = match script(number, &line) {
            Reply::With(status, headers, body) => {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
                [head.as_bytes(), body.as_bytes()].concat()
            }
            Reply::Hijack(bytes) => {
                let head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(&[head, bytes].concat()).await.unwrap();
                return;
            }
            Reply::HijackSilently => {
                let head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head).await.unwrap();
                std::future::pending().await
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        };
        stream.write_all(&answer).await.unwrap();
    }
}

/// The first line of the next request, once the whole of it has come.
async fn read_request(stream: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head.lines().next().unwrap().to_owned())
}

const OK: Reply = Reply::With("200 OK", "", VERSION);

#[tokio::test]
async fn a_kept_connection_that_dies_under_a_call_is_replaced() {
    // The first is asked and kept; it dies as the second request comes.
    let fake = Fake::start("stale", |number, line| match number {
        2 => Reply::Close,
        _ if line.contains("/containers/") => Reply::With("200 OK", "", r#"{"Id":"abc"}"#),
        _ => OK,
    });
    let engine = fake.engine(Duration::from_secs(10));
    engine.info().await.unwrap();
    assert_eq!(engine.container("web").await.unwrap().id, "abc");
    let inspect = "GET /v1.41/containers/web/json HTTP/1.1";
    assert_eq!(fake.seen(), ["GET /version HTTP/1.1", inspect, inspect]);
}

#[tokio::test]
async fn another_engine_may_come_back_after_a_restart() {
    let mut fake = Fake::start("restart", |_, _| OK);
    let engine = fake.engine(Duration::from_secs(10));
    assert_eq!(engine.info().await.unwrap().api.minor, 41);
    let newer = |_: usize, line: &str| match line.contains("/version") {
        true => Reply::With("200 OK", "", r#"{"Version":"2","ApiVersion":"1.44"}"#),
        false => Reply::With("404 Not Found", "", r#"{"message":"no such container"}"#),
    };
    fake.restart(newer).await;
    // Kept connections are gone; the call is made all the same.
    let error = engine.container("web").await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_NOT_FOUND");
    // Away altogether: then nothing that was known of it counts any more.
    fake.stop().await;
    let error = engine.container("web").await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_UNREACHABLE");
    fake.restart(newer).await;
    assert_eq!(engine.info().await.unwrap().api.minor, 44);
}

/// An engine that is replaced between two calls is never seen away.
#[tokio::test]
async fn a_version_that_is_refused_is_asked_for_again() {
    let mut fake = Fake::start("version", |_, _| OK);
    let engine = fake.engine(Duration::from_secs(10));
    engine.info().await.unwrap();
    fake.restart(|_, line| match line {
        "GET /version HTTP/1.1" => {
            Reply::With("200 OK", "", r#"{"Version":"2","ApiVersion":"1.44"}"#)
        }
        "GET /v1.44/containers/web/json HTTP/1.1" => Reply::With("200 OK", "", r#"{"Id":"abc"}"#),
        _ => Reply::With("400 Bad Request", "", r#"{"message":"client version 1.41 is too old"}"#),
    })
    .await;
    assert_eq!(engine.container("web").await.unwrap().id, "abc");
    assert_eq!(engine.info().await.unwrap().api.minor, 44);
}

#[tokio::test]
async fn an_engine_that_never_answers_is_unreachable_in_time() {
    let fake = Fake::start("silent", |_, _| Reply::Silence);
    let began = Instant::now();
    let error = fake.engine(Duration::from_millis(200)).info().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(error.code(), "DEW_ENGINE_UNREACHABLE");
    let EngineError::Unreachable { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.to_string(), "version took longer than 200 ms");
}

#[tokio::test]
async fn what_is_no_engine_is_not_taken_for_one() {
    for (name, body) in [("html", "<html>"), ("empty", "{}"), ("odd", r#"{"ApiVersion":"x"}"#)] {
        let script: fn(usize, &str) -> Reply = match body {
            "<html>" => |_, _| Reply::With("200 OK", "", "<html>"),
            "{}" => |_, _| Reply::With("200 OK", "", "{}"),
            _ => |_, _| Reply::With("200 OK", "", r#"{"ApiVersion":"x"}"#),
        };
        let fake = Fake::start(name, script);
        let error = fake.engine(Duration::from_secs(10)).info().await.unwrap_err();
        assert_eq!(error.code(), "DEW_ENGINE_PROTOCOL", "{body}: {error}");
    }
}

/// Starts an exec of an engine that answers the start with `reply`.
async fn start(
    name: &str,
    script: fn(usize, &str) -> Reply,
) -> (Fake, Result<String, EngineError>) {
    let fake = Fake::start(name, script);
    let engine = fake.engine(Duration::from_secs(10));
    let exec = engine.create_exec("web", &ExecSpec::default()).await.unwrap();
    let read = async {
        let mut output = exec.start().await?.output;
        let mut text = String::new();
        while let Some(chunk) = output.next().await? {
            text += &String::from_utf8_lossy(chunk.as_slice());
        }
        Ok(text)
    };
    let result = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
    (fake, result)
}

fn created(line: &str) -> Option<Reply> {
    line.contains("/containers/web/exec")
        .then_some(Reply::With("201 Created", "", r#"{"Id":"e1"}"#))
        .or_else(|| line.contains("/version").then_some(OK))
}

#[tokio::test]
async fn output_that_comes_with_the_answer_is_not_lost() {
    let (fake, text) = start("early", |_, line| {
        created(line).unwrap_or(Reply::Hijack(b"\x01\0\0\0\0\0\0\x05hello"))
    })
    .await;
    assert_eq!(text.unwrap(), "hello");
    assert_eq!(fake.seen().last().unwrap(), "POST /v1.41/exec/e1/start HTTP/1.1");
}

#[tokio::test]
async fn an_output_that_ends_inside_a_frame_is_lost_and_not_over() {
    let (_fake, text) = start("torn", |_, line| {
        created(line).unwrap_or(Reply::Hijack(b"\x01\0\0\0\0\0\0\x09hello"))
    })
    .await;
    assert_eq!(text.unwrap_err().code(), "DEW_ENGINE_LOST");
}

#[tokio::test]
async fn an_output_that_is_not_framed_is_a_broken_protocol() {
    let (_fake, text) =
        start("unframed", |_, line| created(line).unwrap_or(Reply::Hijack(b"hello, world"))).await;
    let error = text.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_PROTOCOL");
    assert!(error.to_string().contains("byte 104"), "{error}");
}

#[tokio::test]
async fn a_start_that_is_refused_or_loses_its_upgrade_says_so() {
    let (_fake, text) = start("refused", |_, line| {
        let refusal = Reply::With("409 Conflict", "", r#"{"message":"container web is paused"}"#);
        created(line).unwrap_or(refusal)
    })
    .await;
    let error = text.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("DEW_ENGINE_CONFLICT", "container web is paused")
    );

    let (_fake, text) =
        start("proxy", |_, line| created(line).unwrap_or(Reply::With("200 OK", "", "text"))).await;
    let error = text.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_PROTOCOL");
    assert!(error.to_string().contains("proxy"), "{error}");
}

const FIRST: TerminalSize = TerminalSize { rows: 24, cols: 80 };
const LATER: TerminalSize = TerminalSize { rows: 50, cols: 120 };

/// An engine like podman, which has no answer to a terminal's first size and takes every later one.
fn podman(_: usize, line: &str) -> Reply {
    const PODMAN: &str = r#"{"Version":"4","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4"}]}"#;
    match line {
        _ if line.contains("/version") => Reply::With("200 OK", "", PODMAN),
        _ if line.contains("/start") => Reply::HijackSilently,
        _ if line.contains("h=24") => Reply::Silence,
        _ if line.contains("/resize") => Reply::With("201 Created", "", ""),
        _ => created(line).unwrap(),
    }
}

/// The sizes that the engine was asked for, in their order.
fn sizes(fake: &Fake) -> Vec<&'static str> {
    let resizes = fake.seen().into_iter().filter(|line| line.contains("/resize"));
    resizes.map(|line| if line.contains("h=24") { "first" } else { "later" }).collect()
}

#[tokio::test]
async fn a_size_does_not_wait_for_a_first_one_that_nobody_carries_on() {
    let fake = Fake::start("stuck-size", podman);
    let engine = fake.engine(Duration::from_secs(2));
    let spec = ExecSpec { tty: true, size: Some(FIRST), ..ExecSpec::default() };
    let exec = engine.create_exec("web", &spec).await.unwrap();
    let mut stream = exec.start().await.unwrap();
    // Who reads the output carries the first size on, up to the question; then nobody reads.
    let asked = async {
        while sizes(&fake).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        output = stream.output.next() => panic!("there is no output, but {output:?}"),
        () = asked => {}
    }
    let resized = tokio::time::timeout(Duration::from_secs(10), exec.resize(LATER)).await;
    resized.expect("the size waits for ever").unwrap();
    assert_eq!(sizes(&fake), ["first", "later"]);
}

#[tokio::test]
async fn a_first_size_does_not_come_behind_a_later_one() {
    let fake = Fake::start("late-size", podman);
    let engine = fake.engine(Duration::from_secs(10));
    let spec = ExecSpec { tty: true, size: Some(FIRST), ..ExecSpec::default() };
    let exec = engine.create_exec("web", &spec).await.unwrap();
    let mut stream = exec.start().await.unwrap();
    exec.resize(LATER).await.unwrap();
    let reading = tokio::time::timeout(Duration::from_millis(100), stream.output.next()).await;
    assert!(reading.is_err(), "there is no output, but {reading:?}");
    assert_eq!(sizes(&fake), ["later"]);
}
