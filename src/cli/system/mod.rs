//! What the command line asks of the system: its terminal, and being told to end.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod own;

pub(super) use own::{Raw, Signals, asked_to_end, is_interactive, size, stdout};

impl Signals {
    /// The number of the next signal that asks us to end.
    pub(super) async fn end(&mut self) -> i32 {
        loop {
            if let Signal::End(number) = self.next().await {
                return number;
            }
        }
    }
}

/// News from the system.
pub(super) enum Signal {
    /// The terminal has another size.
    #[cfg_attr(windows, expect(dead_code, reason = "consoles do not tell"))]
    Resized,
    /// We are asked to end, by the signal with this number.
    End(i32),
}
