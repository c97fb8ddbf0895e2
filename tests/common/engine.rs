//! Containers on a real engine for tests: unique, labelled, removed when dropped.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use docker_exec_websocket::engine::{
    Engine, EngineHost, EngineOptions, Exec, ExecSpec, ExecStream, OutputStream,
};
use serde_json::{Value, json};

/// Images that tests can run in, the first that is there is taken.
const IMAGES: [&str; 2] = ["docker-exec-websocket-busybox", "busybox"];
/// What everything that tests make is labelled with.
pub(crate) const LABEL: &str = "docker-exec-websocket";

/// The host that tests run against.
///
/// Panics with a sentence on how to get one where there is none.
pub(crate) fn host() -> EngineHost {
    let host = EngineHost::from_env().expect("DOCKER_HOST has to name an engine");
    if request(&host, "GET", "/_ping", None).is_err() {
        panic!(
            "no engine answers at {host}: run `node scripts/engine.js run -- cargo test`, \
             or set DOCKER_HOST to one that may be used for tests"
        );
    }
    host
}

pub(crate) fn engine() -> Engine {
    Engine::new(host(), EngineOptions::default())
}

/// A container that does nothing, until it is dropped.
pub(crate) struct TestContainer {
    pub(crate) id: String,
    pub(crate) host: EngineHost,
}

impl TestContainer {
    pub(crate) fn start() -> Self {
        Self::start_at(host(), json!({}))
    }

    /// With `settings` over the defaults of the create call.
    pub(crate) fn start_at(host: EngineHost, settings: Value) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dew-test-{}-{count}", std::process::id());
        let run = std::env::var("DEW_RUN").unwrap_or_else(|_| "cargo-test".to_owned());
        let image = IMAGES.into_iter().find(|image| {
            let found = request(&host, "GET", &format!("/images/{image}/json"), None);
            found.is_ok_and(|(status, _)| status == 200)
        });
        let image = image.expect("the engine has none of the test images; see scripts/engine.js");
        let mut body = json!({
            "Image": image,
            "Cmd": ["sleep", "100000"],
            "Labels": { LABEL: run },
            "NetworkDisabled": true,
            // podman would ask for a million of each, which few test machines may give.
            "HostConfig": {
                "NetworkMode": "none",
                "Init": false,
                "Ulimits": [
                    { "Name": "nofile", "Soft": 1024, "Hard": 4096 },
                    { "Name": "nproc", "Soft": 4096, "Hard": 4096 },
                ],
            },
        });
        for (key, value) in settings.as_object().expect("settings are an object") {
            body[key] = value.clone();
        }
        let path = format!("/containers/create?name={name}");
        let (status, answer) = request(&host, "POST", &path, Some(&body)).unwrap();
        assert_eq!(status, 201, "create: {answer}");
        let id = answer["Id"].as_str().unwrap().to_owned();
        let container = Self { id, host };
        container.act("start");
        container
    }

    /// `POST /containers/ID/action`: start, stop, pause, unpause, kill, restart.
    pub(crate) fn act(&self, action: &str) {
        let path = format!("/containers/{}/{action}", self.id);
        let (status, answer) = request(&self.host, "POST", &path, None).unwrap();
        assert!((200..300).contains(&status), "{action}: {answer}");
    }

    pub(crate) fn remove(&self) {
        let path = format!("/containers/{}?force=true&v=true", self.id);
        let _ = request(&self.host, "DELETE", &path, None);
    }

    /// The commands that run in it, one string each, its own `sleep 100000` and the dead left out.
    pub(crate) fn processes(&self) -> Vec<String> {
        let path = format!("/containers/{}/top?ps_args=-eo+pid,args", self.id);
        let (status, answer) = request(&self.host, "GET", &path, None).unwrap();
        assert_eq!(status, 200, "top: {answer}");
        let rows = answer["Processes"].as_array().unwrap().iter();
        let words = rows.map(|row| row.as_array().unwrap().iter().filter_map(Value::as_str));
        // podman puts the columns into one.
        let lines = words.map(|words| words.collect::<Vec<_>>().join(" "));
        lines
            .map(|line| line.trim_start().split_once(' ').unwrap().1.trim_start().to_owned())
            // The dead are in brackets; dockerd calls them defunct besides.
            .filter(|command| command != "sleep 100000" && !command.starts_with('['))
            .collect()
    }
}

impl Drop for TestContainer {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Everything that a command did, for comparison and for the message of a failed test.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) exit_code: Option<i64>,
}

/// A spec of `command` with nothing else set.
pub(crate) fn spec(command: &[&str]) -> ExecSpec {
    ExecSpec {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        ..ExecSpec::default()
    }
}

pub(crate) fn tty_spec(command: &[&str]) -> ExecSpec {
    ExecSpec { tty: true, ..spec(command) }
}

/// Reads a command's output to its end, then asks how it ended: the engine may know that a moment later.
pub(crate) async fn finish(exec: &Exec, stream: ExecStream) -> Transcript {
    let ExecStream { input, mut output } = stream;
    let mut transcript = Transcript::default();
    while let Some(chunk) = output.next().await.unwrap() {
        match chunk.stream {
            OutputStream::Stdout => transcript.stdout.extend_from_slice(chunk.as_slice()),
            OutputStream::Stderr => transcript.stderr.extend_from_slice(chunk.as_slice()),
        }
    }
    drop(input);
    transcript.exit_code = loop {
        let state = exec.state().await.unwrap();
        if !state.running {
            break state.exit_code;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    transcript
}

/// One request on a connection of its own; status and JSON (or text) of the answer.
pub(crate) fn request(
    host: &EngineHost,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<(u16, Value)> {
    let EngineHost::Unix(socket) = host else {
        panic!("these tests need a unix socket, not {host}");
    };
    let socket: &PathBuf = socket;
    let mut stream = UnixStream::connect(socket)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    Ok((status.unwrap_or(0), body))
}
