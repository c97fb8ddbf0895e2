//! One session: what the client sends, and what the command prints.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::engine::{self, Exec};
use crate::frames::{BINARY, CLOSE, Frames, put_header};

/// As much as our own servers read at once.
const READ: usize = 256 * 1024;

/// The first byte of each message.
const STDIN: u8 = 0;
const RESUME: u8 = 100;
const END: u8 = 102;
const STOPPED: u8 = 200;

/// The character that ends the input of a terminal.
const EOT: u8 = 4;

/// Length of the header before each piece of output that is not a terminal's: its stream, from 1
/// on as in the protocol, three zeros, and the payload's length.
const PIECE_HEADER: usize = 8;

/// Serves one client from its request on.
pub(crate) fn serve(mut peer: TcpStream, socket: &str, container: &str) -> io::Result<()> {
    peer.set_nodelay(true)?;
    let (head, rest) = engine::read_head(&mut peer)?;
    let key = engine::header(&head, "sec-websocket-key").unwrap_or_default();
    let query = head.split(' ').nth(1).and_then(|target| target.split_once('?'));
    let (mut command, mut tty) = (Vec::new(), false);
    for (name, value) in form_urlencoded::parse(query.map_or("", |(_, query)| query).as_bytes()) {
        match name.as_ref() {
            "command" => command.push(value.into_owned()),
            "tty" => tty = value == "true",
            _ => {}
        }
    }
    let exec = engine::run(socket, container, &command, tty)?;
    let accept = derive_accept_key(key.as_bytes());
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    put_message(&mut answer, RESUME, &[]);
    peer.write_all(&answer)?;
    let (from_peer, to_exec) = (peer.try_clone()?, exec.stream.try_clone()?);
    let taking = std::thread::spawn(move || take_input(from_peer, rest, to_exec, tty));
    send_output(exec, &mut peer, tty, socket)?;
    taking.join().map_err(|_| io::Error::other("the thread for input has panicked"))?
}

fn put_message(out: &mut Vec<u8>, code: u8, payload: &[u8]) {
    put_header(out, BINARY, 1 + payload.len());
    out.push(code);
    out.extend_from_slice(payload);
}

fn take_input(
    mut peer: TcpStream,
    mut rest: Vec<u8>,
    mut exec: UnixStream,
    tty: bool,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; READ];
    let mut code = None;
    let mut bytes = rest.as_mut_slice();
    loop {
        while let Some(part) = frames.next(&mut bytes) {
            if part.first == CLOSE {
                return Ok(());
            }
            let mut payload = part.payload;
            if part.begins {
                code = payload.split_off_first().copied();
            }
            match code {
                // A command that takes no more is no reason to leave the frames unread.
                Some(STDIN) => drop(exec.write_all(payload)),
                Some(END) if tty => exec.write_all(&[EOT])?,
                Some(END) => exec.shutdown(Shutdown::Write)?,
                _ => {}
            }
        }
        match peer.read(&mut buffer)? {
            0 => return exec.shutdown(Shutdown::Write),
            count => bytes = &mut buffer[..count],
        }
    }
}

fn send_output(exec: Exec, peer: &mut TcpStream, tty: bool, socket: &str) -> io::Result<()> {
    let Exec { id, mut stream, early } = exec;
    let mut pieces = Pieces::default();
    let (mut buffer, mut out) = (vec![0; READ], Vec::with_capacity(2 * READ));
    let mut bytes = early.as_slice();
    loop {
        if tty && !bytes.is_empty() {
            put_message(&mut out, 1, bytes);
        } else {
            pieces.split(bytes, |stream, payload| put_message(&mut out, stream, payload));
        }
        peer.write_all(&out)?;
        out.clear();
        match stream.read(&mut buffer)? {
            0 => break,
            count => bytes = &buffer[..count],
        }
    }
    put_message(&mut out, STOPPED, &[engine::exit_code(socket, &id)?]);
    put_header(&mut out, CLOSE, 0);
    peer.write_all(&out)
}

/// Splits an engine's output into what belongs to each stream.
#[derive(Default)]
struct Pieces {
    header: [u8; PIECE_HEADER],
    have: usize,
    left: usize,
}

impl Pieces {
    fn split(&mut self, mut bytes: &[u8], mut put: impl FnMut(u8, &[u8])) {
        while let [first, rest @ ..] = bytes {
            if self.left == 0 {
                self.header[self.have] = *first;
                self.have += 1;
                bytes = rest;
                if self.have == PIECE_HEADER {
                    let [.., a, b, c, d] = self.header;
                    (self.have, self.left) = (0, u32::from_be_bytes([a, b, c, d]) as usize);
                }
                continue;
            }
            let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
            put(self.header[0], payload);
            self.left -= payload.len();
            bytes = rest;
        }
    }
}
