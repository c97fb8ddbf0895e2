//! The local terminal, its size and raw mode while a remote one is joined to it; and signals.

use std::fs::File;
use std::io::{self, Write};

use rustix::{
    stdio::{self, stdin},
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};
use tokio::signal::unix::{SignalKind, signal};

use super::Signal;

/// Whether stdin and stdout are terminals.
pub(in crate::cli) fn is_interactive() -> bool {
    isatty(stdin()) && isatty(stdio::stdout())
}

/// Rows and cols of the terminal, if there is one that knows them.
pub(in crate::cli) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdio::stdout()).or_else(|_| tcgetwinsize(stdin())).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Stdout, without the standard library's search for the last line in whatever is written.
pub(in crate::cli) fn stdout() -> Box<dyn Write + Send> {
    match stdio::stdout().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        // It is closed; the standard library takes no offence.
        Err(_) => Box::new(io::stdout()),
    }
}

/// Raw mode of the terminal on stdin, for as long as this lives.
pub(in crate::cli) struct Raw(Termios);

impl Raw {
    /// Sets raw mode; `None` if stdin is no terminal.
    pub(in crate::cli) fn enter() -> Option<Self> {
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.0);
    }
}

/// The signals that a client answers.
pub(in crate::cli) struct Signals {
    window: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(in crate::cli) fn new() -> io::Result<Self> {
        Ok(Self {
            window: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(in crate::cli) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.window.recv() => Signal::Resized,
            _ = self.terminate.recv() => Signal::End(15),
            _ = self.hang_up.recv() => Signal::End(1),
            _ = self.interrupt.recv() => Signal::End(2),
        }
    }
}

/// Waits until a server is asked to end.
pub(in crate::cli) async fn asked_to_end() {
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
