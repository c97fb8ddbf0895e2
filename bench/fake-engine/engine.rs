//! What the engine knows, and its answers.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};

use crate::http::{Connection, Request};
use crate::work::{Command, Output, Wire, Work};

/// A number that no process can have: whoever looks for the command on this machine finds nothing.
const NO_PROCESS: u64 = 1 << 22;

/// A command, by its number.
struct Exec {
    command: Command,
    tty: bool,
    started: bool,
    exit_code: Option<i64>,
}

#[derive(Default)]
struct State {
    execs: HashMap<u64, Exec>,
    next: u64,
    /// What has been blasted once is blasted again: by the frames' size and their form.
    blocks: HashMap<(usize, Wire), Arc<[u8]>>,
}

/// The state of all connections; nearly all share one thread, so the lock is hardly waited for.
#[derive(Clone, Default)]
struct Engine(Arc<Mutex<State>>);

enum Answer {
    Json(u16, Value),
    /// 204: there is nothing to say.
    Done,
    /// An answer without an end, in which nothing ever comes.
    Silence,
    /// What a command prints, behind this head; of an exec, by its number.
    Stream(&'static str, Option<u64>, Work),
}

/// The connection is a stream in both directions.
const HIJACKED: &str = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
                        Content-Type: application/vnd.docker.raw-stream\r\n\r\n";
/// The same for those who did not ask for an upgrade: a body that ends with the connection.
const TO_THE_END: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                       Transfer-Encoding: chunked\r\n\r\n";

/// Takes connections for ever.
pub(crate) async fn serve(listener: UnixListener) -> io::Result<()> {
    let engine = Engine::default();
    loop {
        let (socket, _) = listener.accept().await?;
        let engine = engine.clone();
        // A peer that goes in the middle of something is no news here.
        tokio::spawn(async move { engine.converse(socket).await });
    }
}

impl State {
    fn block(&mut self, command: &Command, wire: Wire) -> Option<Arc<[u8]>> {
        let frame = command.frame()?;
        let new = || crate::work::block(frame, wire);
        Some(Arc::clone(self.blocks.entry((frame, wire)).or_insert_with(new)))
    }
}

impl Engine {
    async fn converse(self, socket: UnixStream) -> io::Result<()> {
        let mut connection = Connection { socket, pending: Vec::new() };
        while let Some(request) = connection.request().await? {
            match self.answer(&request) {
                Answer::Json(status, value) => {
                    connection.answer(status, &value.to_string()).await?;
                }
                Answer::Done => {
                    connection.socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
                }
                Answer::Silence => {
                    let head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";
                    connection.socket.write_all(head).await?;
                    while connection.request().await?.is_some() {}
                }
                Answer::Stream(head, id, work) => {
                    connection.socket.write_all(head.as_bytes()).await?;
                    return self.stream(connection, id, work).await;
                }
            }
        }
        Ok(())
    }

    async fn stream(self, connection: Connection, id: Option<u64>, work: Work) -> io::Result<()> {
        let Connection { socket, pending } = connection;
        if !work.is_typed() {
            return self.run(socket, pending, id, work).await;
        }
        let socket = socket.into_std()?;
        std::thread::spawn(move || -> io::Result<()> {
            let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            own.block_on(async { self.run(UnixStream::from_std(socket)?, pending, id, work).await })
        });
        Ok(())
    }

    async fn run(
        self,
        socket: UnixStream,
        pending: Vec<u8>,
        id: Option<u64>,
        work: Work,
    ) -> io::Result<()> {
        let mut output = Output::new(socket, pending);
        let code = work.run(&mut output).await;
        if let Some(id) = id
            && let Some(exec) = self.lock().execs.get_mut(&id)
        {
            exec.exit_code = Some(code);
        }
        if work.wire.chunked {
            output.last_chunk().await?;
        }
        output.finish().await
    }

    fn answer(&self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.split('/').skip(1).collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["_ping"]) => Answer::Json(200, json!("OK")),
            ("GET", ["version"]) => {
                Answer::Json(200, json!({ "Version": "fake", "ApiVersion": "1.41" }))
            }
            ("GET", ["events"]) => Answer::Silence,
            ("GET", ["containers", id, "json"]) => {
                let state = json!({ "Running": true, "Paused": false, "Pid": 0 });
                Answer::Json(200, json!({ "Id": id, "State": state }))
            }
            ("POST", ["containers", _, "start"]) => Answer::Done,
            ("POST", ["containers", id, "attach"]) => {
                let head = if request.upgrade { HIJACKED } else { TO_THE_END };
                self.container(id, head)
            }
            ("GET", ["containers", id, "logs"]) => self.container(id, CHUNKED),
            ("POST", ["containers", _, "exec"]) => self.create(&body),
            ("POST", ["exec", id, "start"]) => self.start(id, &body),
            ("POST", ["exec", _, "resize"]) => Answer::Json(200, json!({})),
            ("GET", ["exec", id, "json"]) => self.inspect(id),
            _ => refusal(404, "page not found"),
        }
    }

    fn create(&self, body: &Value) -> Answer {
        let words = body["Cmd"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let command = match Command::parse(&words.collect::<Vec<_>>()) {
            Ok(command) => command,
            Err(why) => return refusal(400, &why),
        };
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        let tty = body["Tty"] == true;
        state.execs.insert(id, Exec { command, tty, started: false, exit_code: None });
        Answer::Json(201, json!({ "Id": format!("{id:064x}") }))
    }

    fn start(&self, name: &str, body: &Value) -> Answer {
        let wire = Wire { framed: body["Tty"] != true, chunked: false };
        let mut state = self.lock();
        let Some((id, exec)) = find(&mut state.execs, name) else {
            return refusal(404, "no such exec");
        };
        if std::mem::replace(&mut exec.started, true) {
            return refusal(409, "the exec was started before");
        }
        let (command, tty) = (exec.command.clone(), exec.tty);
        let block = state.block(&command, wire);
        Answer::Stream(HIJACKED, Some(id), Work { command, tty, wire, block })
    }

    /// What a container prints. Its name says that: words with dashes between, the last one `tty` if
    /// it has a terminal.
    fn container(&self, name: &str, head: &'static str) -> Answer {
        let (name, tty) = name.strip_suffix("-tty").map_or((name, false), |name| (name, true));
        let command = match Command::parse(&name.split('-').collect::<Vec<_>>()) {
            Ok(command) => command,
            Err(why) => return refusal(400, &why),
        };
        let wire = Wire { framed: !tty, chunked: head == CHUNKED };
        let block = self.lock().block(&command, wire);
        Answer::Stream(head, None, Work { command, tty, wire, block })
    }

    fn inspect(&self, name: &str) -> Answer {
        let mut state = self.lock();
        let Some((id, exec)) = find(&mut state.execs, name) else {
            return refusal(404, "no such exec");
        };
        let running = exec.started && exec.exit_code.is_none();
        let pid = if running { NO_PROCESS + id } else { 0 };
        let answer =
            json!({ "ID": name, "Running": running, "ExitCode": exec.exit_code, "Pid": pid });
        Answer::Json(200, answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(execs: &'a mut HashMap<u64, Exec>, name: &str) -> Option<(u64, &'a mut Exec)> {
    let id = u64::from_str_radix(name.trim_start_matches('0'), 16).ok()?;
    Some((id, execs.get_mut(&id)?))
}

fn refusal(status: u16, message: &str) -> Answer {
    Answer::Json(status, json!({ "message": message }))
}
