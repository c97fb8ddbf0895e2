//! Leaving a command that goes on, or is still to be ended.

use std::time::Duration;

use super::Exec;
use crate::engine::{EngineKind, ExecOutput};

/// How long dockerd may take to end the output of a terminal whose input has ended.
/// It takes milliseconds (measured: 4 to 19 with 1 MB on its way).
pub(in crate::engine) const DETACH_TIMEOUT: Duration = Duration::from_secs(5);

impl Exec {
    /// Leaves a terminal so that nobody notices; its [`ExecInput`](crate::engine::ExecInput) has to
    /// be dropped before. What it still prints is lost. Does nothing without a terminal.
    ///
    /// A connection that breaks while dockerd writes to it is an error to dockerd, and it closes the
    /// terminal: what runs in there is hung up. If that does not end by it, containerd's shim (1.6)
    /// takes the descriptor that the terminal had out of its epoll set when it does end; where a
    /// newer terminal of the container has that number by then, it is silent ever after.
    pub async fn detach(&self, mut output: ExecOutput) {
        // podman's conmon outlives its connections, and does not end them when input ends.
        if !self.tty() || self.shared.info.kind == EngineKind::Podman {
            return;
        }
        // Where input has ended, dockerd lets go of the terminal, and ends the output in order.
        let rest = async { while let Ok(Some(_)) = output.next().await {} };
        let _ = tokio::time::timeout(DETACH_TIMEOUT, rest).await;
    }
}
