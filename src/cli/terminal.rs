//! The local terminal: its size, and raw mode while a remote one is joined to it.

use rustix::{
    stdio::{stdin, stdout},
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};

/// Whether stdin and stdout are terminals.
pub(super) fn is_interactive() -> bool {
    isatty(stdin()) && isatty(stdout())
}

/// Rows and cols of the terminal, if there is one that knows them.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin())).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Raw mode of the terminal on stdin, for as long as this lives.
pub(super) struct Raw(Termios);

impl Raw {
    /// Sets raw mode; `None` if stdin is no terminal.
    pub(super) fn enter() -> Option<Self> {
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
