//! The size of a command's terminal: the latest wins, whenever it comes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bollard::query_parameters::ResizeExecOptionsBuilder;
use tokio::time::Instant;

use super::{Exec, lock};
use crate::engine::stream::FirstSize;
use crate::engine::{EngineError, EngineKind};

/// Waits before a resize is tried again that came while the command was starting.
/// Starting takes 60 ms on an idle machine.
const RETRIES: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
    Duration::from_millis(320),
    Duration::from_millis(640),
];
/// Time between two resizes on podman. Its conmon drops the second of two that it
/// reads at once (measured: half of them back to back, none at 5 ms). With 20 ms
/// a size was lost once on a busy machine, where it may well read later than that.
const PODMAN_SPACING: Duration = Duration::from_millis(100);

/// The size of a terminal, in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

/// What an exec remembers of its sizes.
#[derive(Default)]
pub(super) struct Sizes {
    /// The size that was asked for last.
    wanted: Mutex<Option<TerminalSize>>,
    /// Held during a resize, since the engine would not keep two in order; when the last one was.
    turn: tokio::sync::Mutex<Option<Instant>>,
    /// The first one while it is being set: it has its turn, and goes on only while the output is
    /// read or somebody else carries it on.
    first: Mutex<Weak<<FirstSize as std::ops::Deref>::Target>>,
}

impl Exec {
    /// Sets the terminal's size. Of sizes that are set at the same time, the latest
    /// call's stays; the earlier ones may be skipped.
    ///
    /// # Errors
    ///
    /// `NotFound` or `Refused` when the command has ended or was never started, and
    /// when it has no terminal.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), EngineError> {
        let Sizes { wanted, first, .. } = &self.shared.sizes;
        *lock(wanted) = Some(size);
        let first = lock(first).upgrade().and_then(|first| lock(&first).take());
        if let Some(first) = first {
            first.await;
        }
        self.resize_in_turn(size).await
    }

    async fn resize_in_turn(&self, size: TerminalSize) -> Result<(), EngineError> {
        let Sizes { wanted, turn, .. } = &self.shared.sizes;
        let mut turn = turn.lock().await;
        if let Some(last) = *turn
            && self.shared.info.kind == EngineKind::Podman
        {
            tokio::time::sleep_until(last + PODMAN_SPACING).await;
        }
        if *lock(wanted) != Some(size) {
            return Ok(());
        }
        let resized = self.resize_now(size).await;
        *turn = Some(Instant::now());
        resized
    }

    async fn resize_now(&self, size: TerminalSize) -> Result<(), EngineError> {
        let mut waits = RETRIES.iter();
        loop {
            let resized = self
                .shared
                .engine
                .call("exec resize", |docker| async move {
                    let query = ResizeExecOptionsBuilder::default();
                    let query = query.h(size.rows.into()).w(size.cols.into()).build();
                    docker.resize_exec(self.id(), query).await
                })
                .await;
            let error = match resized {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // While the command starts, engines answer 404, 409 or 500 as they do when
            // it is over. Only its state tells the two apart.
            let Some(wait) = waits.next().filter(|_| self.may_be_starting(&error)) else {
                return Err(error);
            };
            match self.state().await {
                Ok(state) if state.exit_code.is_none() => tokio::time::sleep(*wait).await,
                _ => return Err(error),
            }
        }
    }

    fn may_be_starting(&self, error: &EngineError) -> bool {
        let refused = matches!(
            error,
            EngineError::NotFound { .. }
                | EngineError::Conflict { .. }
                | EngineError::Refused { status: 500, .. }
        );
        refused && self.tty() && self.shared.started.load(Ordering::Acquire)
    }

    /// What sets the first size, if there is one to set.
    pub(super) fn first_size(&self, size: Option<TerminalSize>) -> FirstSize {
        let sizing = FirstSize::default();
        if let Some(size) = size {
            *lock(&sizing) = Some(Box::pin(self.clone().set_first_size(size)));
            *lock(&self.shared.sizes.first) = Arc::downgrade(&sizing);
        }
        sizing
    }

    /// The size from [`ExecSpec`](super::ExecSpec), unless another was asked for meanwhile.
    async fn set_first_size(self, size: TerminalSize) {
        let is_first = *lock(&self.shared.sizes.wanted).get_or_insert(size) == size;
        if is_first {
            // A command that is over before it got its size has no use for it, and
            // whatever else is wrong with the engine shows on the stream.
            let _ = self.resize_in_turn(size).await;
        }
    }
}
