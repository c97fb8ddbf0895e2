//! The runtime that the command line and the addon run on.

use tokio::runtime::Builder;

/// Tasks that a thread runs before it looks for news of sockets. Sessions in bulk make long turns:
/// with the default of 61, another session's key would wait for as many of them.
const EVENT_INTERVAL: u32 = 4;

/// A builder with everything enabled and settings that are fair to sessions which are not in bulk.
/// Programs that embed the crate may use it, or any other runtime.
#[must_use]
pub fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.thread_name("dew").event_interval(EVENT_INTERVAL).enable_all();
    builder
}
