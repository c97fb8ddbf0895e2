//! As much of HTTP/1.1 as engines and their clients speak.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The most that a request may have, head and body.
const MAX_REQUEST: usize = 1024 * 1024;

/// One request, its body read.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the version of the API in front, and without the query.
    pub(crate) path: String,
    /// Whether the connection is to become a stream in both directions.
    pub(crate) upgrade: bool,
    pub(crate) body: Vec<u8>,
}

/// A connection, and what was read of it and not yet looked at.
pub(crate) struct Connection {
    pub(crate) socket: UnixStream,
    pub(crate) pending: Vec<u8>,
}

impl Connection {
    /// The next request; `None` when the peer has gone.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Request>> {
        let head_end = loop {
            if let Some(at) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.pending[..head_end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut length, mut upgrade) = (0, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| invalid("content-length"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(invalid("transfer-encoding"));
            }
            upgrade |= name.eq_ignore_ascii_case("upgrade");
        }
        let body_start = head_end + 4;
        while self.pending.len() < body_start.saturating_add(length) {
            if !self.read_more().await? {
                return Ok(None);
            }
        }
        let body = self.pending[body_start..body_start + length].to_vec();
        self.pending.drain(..body_start + length);
        Ok(Some(Request { method: method.to_owned(), path: path_of(target), upgrade, body }))
    }

    /// Answers with a JSON text.
    pub(crate) async fn answer(&mut self, status: u16, json: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            json.len()
        );
        self.socket.write_all(format!("{head}{json}").as_bytes()).await
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        if self.pending.len() > MAX_REQUEST {
            return Err(invalid("size"));
        }
        Ok(self.socket.read_buf(&mut self.pending).await? > 0)
    }
}

/// `/v1.41/exec/1/start?x=y` is `/exec/1/start`.
fn path_of(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let unversioned =
        path.strip_prefix("/v1.").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    unversioned.unwrap_or(path).to_owned()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("cannot read a request for its {what}"))
}
