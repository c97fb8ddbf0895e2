//! Opens sessions: at a server, or at an engine itself.

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};

use crate::session::{Session, Socket};
use crate::wire::{Reader, Seen, Wire};

/// A session that runs: its reader has come as far as what was seen.
pub(crate) struct Opened {
    pub(crate) session: Arc<Session>,
    pub(crate) reader: Reader,
    pub(crate) seen: Seen,
}

/// What to open: `ws://host:port/path?query` for a server; `unix:///socket` or `tcp://host:port` for
/// an engine, which gets a command.
pub(crate) async fn open(url: &str, command: &Value, tty: bool) -> io::Result<Opened> {
    let opened = match url.split_once("://") {
        Some(("ws", rest)) => {
            let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            upgrade(host, target).await?
        }
        Some(("unix", path)) => {
            hijack(Socket::Unix(UnixStream::connect(path).await?), command, tty).await?
        }
        Some(("tcp", host)) => hijack(Socket::Tcp(connect(host).await?), command, tty).await?,
        _ => return Err(io::Error::other(format!("cannot open {url}"))),
    };
    let Opened { session, mut reader, mut seen } = opened;
    if session.wire == Wire::WebSocket {
        session.take_until(&mut reader, &mut seen, |seen| seen.started).await?;
        if !seen.started {
            let said = String::from_utf8_lossy(&seen.error).into_owned();
            return Err(io::Error::other(format!("the session did not start: {said}")));
        }
    }
    Ok(Opened { session, reader, seen })
}

async fn connect(host: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(host).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn upgrade(host: &str, target: &str) -> io::Result<Opened> {
    let socket = Socket::Tcp(connect(host).await?);
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    opened(socket, Wire::WebSocket, Vec::new()).await
}

/// Makes and starts an exec on one connection, which then is its stream.
async fn hijack(socket: Socket, command: &Value, tty: bool) -> io::Result<Opened> {
    let mut pending = Vec::new();
    let config = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": tty, "Cmd": command["words"],
    });
    let container = command["container"].as_str().unwrap_or_default();
    post(&socket, &format!("/containers/{container}/exec"), "", &config).await?;
    let head = read_head(&socket, &mut pending).await?;
    let length = header(&head, "content-length").and_then(|value| value.parse().ok());
    while pending.len() < length.unwrap_or(0) {
        if !socket.read_more(&mut pending).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body: Value = serde_json::from_slice(&pending)?;
    let Some(id) = body["Id"].as_str() else {
        return Err(io::Error::other(format!("the engine refused an exec: {body}")));
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    let start = json!({ "Detach": false, "Tty": false });
    post(&socket, &format!("/exec/{id}/start"), upgrade, &start).await?;
    opened(socket, Wire::Engine, Vec::new()).await
}

async fn post(socket: &Socket, path: &str, headers: &str, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await
}

/// Reads the 101 answer; what comes behind it is the session's.
async fn opened(socket: Socket, wire: Wire, mut pending: Vec<u8>) -> io::Result<Opened> {
    let head = read_head(&socket, &mut pending).await?;
    if head.split(' ').nth(1) != Some("101") {
        let first = head.lines().next().unwrap_or_default().to_owned();
        return Err(io::Error::other(format!("no 101 but {first}")));
    }
    let (mut reader, mut seen) = (Reader::new(wire), Seen::default());
    reader.feed(&pending, &mut seen).map_err(io::Error::other)?;
    Ok(Opened { session: Session::new(socket, wire), reader, seen })
}

/// The head of an answer; the rest of what was read stays in `pending`.
async fn read_head(socket: &Socket, pending: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(at) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = pending.split_off(at + 4);
            let head = std::mem::replace(pending, rest);
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if !socket.read_more(pending).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
