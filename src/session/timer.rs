//! A timer that may be unset.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

/// Fires at one moment, or never while unset. Polling it costs nothing while unset, and does not
/// touch the runtime's timers again while the moment stays the same: this is for loops that run
/// once for each message.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>, bool);

impl Timer {
    pub(super) fn is_set(&self) -> bool {
        self.1
    }

    pub(super) fn set_to(&mut self, moment: Option<Instant>) {
        self.1 = moment.is_some();
        let Some(moment) = moment else { return };
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().reset(moment.into()),
            None => self.0 = Some(Box::pin(sleep_until(moment.into()))),
        }
    }

    /// Returns at the moment that was set. Cancel-safe.
    pub(super) async fn wait(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) if self.1 => sleep.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}
