//! Threads that move bytes between a [`Pipe`] and a file descriptor that may block: a terminal
//! or a pipe cannot be waited for in any other way that works everywhere.

use std::{
    io::{self, BufWriter, ErrorKind, Read, Write},
    sync::Arc,
    task::{Wake, Waker},
    thread::{self, Thread},
};

use tokio::sync::oneshot;

use crate::{client::Client, pipe::Pipe};

/// Bytes that one read asks for.
const READ: usize = 64 * 1024;

/// Bytes of small chunks that are gathered for one write, while more of them wait.
const GATHERED: usize = 64 * 1024;

/// Wakes a thread that parks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Reads `from` until its end, as `client`'s input, and then ends that. The thread is not waited
/// for: it may be stuck in a read for ever, and ends with the process.
pub(super) fn feed(mut from: impl Read + Send + 'static, client: Client) {
    thread::spawn(move || {
        let waker = waker();
        let mut buffer = vec![0; READ];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(std::time::Duration::from_millis(10));
                    continue;
                }
                Err(error) => {
                    super::say(format_args!("cannot read stdin: {error}\r"));
                    break;
                }
            };
            let mut rest = &buffer[..count];
            while !rest.is_empty() && !client.input().is_closed() {
                rest = &rest[client.write_input(rest)..];
                if !rest.is_empty() && !client.input().arm_writer(&waker) {
                    thread::park();
                }
            }
        }
        client.end_input();
    });
}

/// Writes what comes out of `pipe` to `to`. The receiver resolves when everything is written, or
/// when `to` takes no more, which also closes `pipe`.
pub(super) fn drain(
    pipe: Arc<Pipe>,
    to: impl Write + Send + 'static,
) -> oneshot::Receiver<io::Result<()>> {
    let (done, written) = oneshot::channel();
    thread::spawn(move || {
        let mut to = BufWriter::with_capacity(GATHERED, to);
        let result = write_out(&pipe, &mut to);
        if result.is_err() {
            pipe.close();
        }
        let _ = done.send(result);
    });
    written
}

/// Writes until the end of `pipe`. What is gathered never waits for more to come.
fn write_out(pipe: &Pipe, to: &mut impl Write) -> io::Result<()> {
    let waker = waker();
    loop {
        while let Some(bytes) = pipe.pop() {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                match insist(|| to.write(rest))? {
                    0 => return Err(ErrorKind::WriteZero.into()),
                    count => rest = &rest[count..],
                }
            }
        }
        insist(|| to.flush())?;
        if pipe.is_ended() {
            return Ok(());
        }
        if !pipe.arm_reader(&waker) {
            thread::park();
        }
    }
}

/// Tries again where a signal came, or where another process has set the descriptor not to block.
fn insist<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(std::time::Duration::from_millis(1));
            }
            done => return done,
        }
    }
}
