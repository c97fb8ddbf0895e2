//! Being told to end, by the events of a console. The console itself stays as it is: without raw
//! mode no terminal is joined to a remote one, so that as little is said of it as of a file.

use std::io::{self, Write};

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

use super::Signal;

/// Raw mode, which no console is set to.
pub(in crate::cli) struct Raw;

impl Raw {
    /// `None`.
    pub(in crate::cli) fn enter() -> Option<Self> {
        None
    }
}

/// Whether a terminal can be joined to a remote one: never.
pub(in crate::cli) fn is_interactive() -> bool {
    false
}

/// Rows and cols of the terminal: unknown.
pub(in crate::cli) fn size() -> Option<(u16, u16)> {
    None
}

/// Stdout; the standard library knows what a console takes.
pub(in crate::cli) fn stdout() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// The events of a console that ask to end, as the signals that say the same elsewhere.
pub(in crate::cli) struct Signals {
    interrupt: CtrlC,
    quit: CtrlBreak,
    close: CtrlClose,
}

impl Signals {
    pub(in crate::cli) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, quit: ctrl_break()?, close: ctrl_close()? })
    }

    pub(in crate::cli) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::End(2),
            _ = self.quit.recv() => Signal::End(15),
            _ = self.close.recv() => Signal::End(1),
        }
    }
}

/// Waits until a server is asked to end.
pub(in crate::cli) async fn asked_to_end() {
    if let Ok(mut signals) = Signals::new() {
        signals.next().await;
    } else {
        let _ = tokio::signal::ctrl_c().await;
    }
}
