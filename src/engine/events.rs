//! The engine's own word that a command has ended.
//!
//! Output says nothing of it while a child holds it open, and asking for the state of
//! each command again and again costs the engine more than telling us. All waiters of
//! one engine share one subscription; it lives as long as anybody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::ApiVersion;
use super::calls::Calls;

/// Events of ended commands. dockerd says `exec_die` and names the exec; podman says
/// `exec_died` and names only the container (4.3), so its waiters have to look.
const PATH: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C\
                    %22event%22%3A%5B%22exec_die%22%2C%22exec_died%22%5D%7D";
/// Waits between attempts to subscribe.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// The longest event. They carry the container's labels, which have no limit.
const MAX_EVENT: usize = 1024 * 1024;

/// What a waiter was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The engine said that this command has ended.
    pub(super) ended: bool,
    /// Counts how often it may have ended unheard, or some command of its container has.
    looks: u64,
}

/// The subscription of one engine, and who waits for it.
#[derive(Clone, Default)]
pub(super) struct Events {
    hub: Arc<Mutex<Hub>>,
}

#[derive(Default)]
struct Hub {
    waiters: HashMap<u64, Waiter>,
    next: u64,
    /// Whether events are coming in.
    live: bool,
    task: Option<AbortHandle>,
    /// The version of the API that the latest waiter's command was created with.
    api: Option<ApiVersion>,
}

struct Waiter {
    exec: String,
    container: String,
    news: watch::Sender<News>,
}

/// A place among the waiters.
pub(super) struct Waiting {
    events: Events,
    key: u64,
    news: watch::Receiver<News>,
}

impl Events {
    /// Waits for the end of `exec` from here on. With the first waiter the subscription begins.
    pub(super) fn wait_for(
        &self,
        calls: &Calls,
        api: ApiVersion,
        exec: &str,
        container: &str,
    ) -> Waiting {
        let mut hub = self.lock();
        hub.api = Some(api);
        // Whoever comes while events are coming in may have missed its own.
        let now = News { ended: false, looks: u64::from(hub.live) };
        let (sender, mut news) = watch::channel(now);
        if hub.live {
            news.mark_changed();
        }
        let key = hub.next;
        hub.next += 1;
        let waiter =
            Waiter { exec: exec.to_owned(), container: container.to_owned(), news: sender };
        hub.waiters.insert(key, waiter);
        if hub.task.is_none() {
            let subscription = self.clone().subscribe(calls.clone());
            hub.task = Some(tokio::spawn(subscription).abort_handle());
        }
        Waiting { events: self.clone(), key, news }
    }

    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens for ever; ended by the last waiter.
    async fn subscribe(self, calls: Calls) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let api = self.lock().api;
            if let Some(api) = api
                && let Ok(mut body) = calls.stream(api, PATH).await
            {
                backoff = FIRST_BACKOFF;
                self.lock().begin();
                let mut pending = BytesMut::new();
                while let Some(Ok(frame)) = body.frame().await {
                    pending.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
                    self.lock().take_lines(&mut pending);
                    if pending.len() > MAX_EVENT {
                        break;
                    }
                }
                self.lock().live = false;
            }
            tokio::time::sleep(backoff).await;
            backoff = LONGEST_BACKOFF.min(backoff * 2);
        }
    }
}

impl Hub {
    /// Events come in from now on; what came before, nobody has heard.
    fn begin(&mut self) {
        self.live = true;
        for waiter in self.waiters.values() {
            waiter.news.send_modify(|news| news.looks += 1);
        }
    }

    fn take_lines(&mut self, pending: &mut BytesMut) {
        while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
            if let Ok(event) = serde_json::from_slice(&pending[..end]) {
                self.take(&event);
            }
            pending.advance(end + 1);
        }
    }

    fn take(&mut self, event: &Value) {
        let actor = &event["Actor"];
        let id = actor["ID"].as_str().unwrap_or_default();
        let name = actor["Attributes"]["name"].as_str().unwrap_or_default();
        let exec = actor["Attributes"]["execID"].as_str();
        for waiter in self.waiters.values() {
            let container = waiter.container.as_str();
            match exec {
                Some(exec) if exec == waiter.exec => {
                    waiter.news.send_modify(|news| news.ended = true);
                }
                None if container == name || id.starts_with(container) => {
                    waiter.news.send_modify(|news| news.looks += 1);
                }
                _ => {}
            }
        }
    }
}

impl Waiting {
    /// The next news. Cancel-safe.
    pub(super) async fn news(&mut self) -> News {
        match self.news.changed().await {
            Ok(()) => *self.news.borrow_and_update(),
            // The sender is dropped after us, so this does not come.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut hub = self.events.lock();
        hub.waiters.remove(&self.key);
        if hub.waiters.is_empty() {
            hub.live = false;
            if let Some(task) = hub.task.take() {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hub(waiters: &[(&str, &str)]) -> (Hub, Vec<watch::Receiver<News>>) {
        let mut hub = Hub::default();
        let mut receivers = Vec::new();
        for (key, (exec, container)) in waiters.iter().enumerate() {
            let (news, receiver) = watch::channel(News::default());
            let (exec, container) = (exec.to_string(), container.to_string());
            hub.waiters.insert(key as u64, Waiter { exec, container, news });
            receivers.push(receiver);
        }
        (hub, receivers)
    }

    fn ended(receivers: &[watch::Receiver<News>]) -> Vec<(bool, u64)> {
        receivers.iter().map(|r| *r.borrow()).map(|news| (news.ended, news.looks)).collect()
    }

    #[test]
    fn an_event_that_names_the_exec_is_for_that_one() {
        let (mut hub, receivers) = hub(&[("e1", "c1"), ("e2", "c1")]);
        let event = json!({ "Actor": { "ID": "c1", "Attributes": { "execID": "e2" } } });
        let mut pending = BytesMut::from(format!("{event}\n{{\"torn").as_bytes());
        hub.take_lines(&mut pending);
        assert_eq!(ended(&receivers), [(false, 0), (true, 0)]);
        assert_eq!(&pending[..], b"{\"torn");
    }

    #[test]
    fn an_event_that_names_the_container_makes_all_its_waiters_look() {
        let (mut hub, receivers) = hub(&[("e1", "c12"), ("e2", "web"), ("e3", "c2")]);
        hub.take(&json!({ "Actor": { "ID": "c123", "Attributes": { "name": "web" } } }));
        assert_eq!(ended(&receivers), [(false, 1), (false, 1), (false, 0)]);
    }

    #[test]
    fn nonsense_is_passed_over() {
        let (mut hub, receivers) = hub(&[("e1", "c1")]);
        let mut pending = BytesMut::from(&b"\n[]\nnull\n{\"Actor\":7}\n\xff\n"[..]);
        hub.take_lines(&mut pending);
        assert_eq!(ended(&receivers), [(false, 0)]);
        assert!(pending.is_empty());
    }
}
