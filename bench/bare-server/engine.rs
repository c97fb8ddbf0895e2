//! The few calls to an engine that a session needs.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

/// A command that runs, and what came of it together with the head of the answer.
pub(crate) struct Exec {
    pub(crate) id: String,
    pub(crate) stream: UnixStream,
    pub(crate) early: Vec<u8>,
}

/// Runs `command` in `container`.
pub(crate) fn run(
    socket: &str,
    container: &str,
    command: &[String],
    tty: bool,
) -> io::Result<Exec> {
    let config = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": tty, "Cmd": command,
    });
    let made = call(socket, "POST", &format!("/containers/{container}/exec"), &config)?;
    let id = made["Id"].as_str().ok_or_else(|| io::Error::other(format!("no exec: {made}")))?;
    let mut stream = UnixStream::connect(socket)?;
    let start = json!({ "Detach": false, "Tty": tty });
    let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
    write(&mut stream, "POST", &format!("/exec/{id}/start"), upgrade, &start)?;
    let (head, early) = read_head(&mut stream)?;
    if head.split(' ').nth(1) != Some("101") {
        return Err(io::Error::other(format!("no stream: {head}")));
    }
    Ok(Exec { id: id.to_owned(), stream, early })
}

/// The exit code of an exec; 0 if it has none.
pub(crate) fn exit_code(socket: &str, id: &str) -> io::Result<u8> {
    let state = call(socket, "GET", &format!("/exec/{id}/json"), &json!({}))?;
    Ok(state["ExitCode"].as_i64().map_or(0, |code| code.to_le_bytes()[0]))
}

fn call(socket: &str, method: &str, path: &str, body: &Value) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    write(&mut stream, method, path, "", body)?;
    let (head, mut answer) = read_head(&mut stream)?;
    let length = header(&head, "content-length").and_then(|length| length.parse().ok());
    let have = answer.len();
    answer.resize(length.unwrap_or(have), 0);
    stream.read_exact(&mut answer[have..])?;
    Ok(serde_json::from_slice(&answer)?)
}

fn write(
    stream: &mut UnixStream,
    method: &str,
    path: &str,
    headers: &str,
    body: &Value,
) -> io::Result<()> {
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())
}

/// The head of a message, and what was read behind it.
pub(crate) fn read_head(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        match stream.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&some[..count]),
        }
    }
}

/// The value of a header in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
