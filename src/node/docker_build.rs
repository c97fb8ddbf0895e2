//! The session of a build by BuildKit, for `lib/docker/session.js`: questions one way, answers the
//! other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tokio::{sync::oneshot, task::AbortHandle};

use super::{
    channel::{Channel, Listener},
    docker::{NativeRequests, pairs},
    failure::{Code, NativeFailure},
    runtime::request_runtime,
};
use crate::engine::{
    BuildOffer, BuildOpening, BuildQuestion, Content, Credentials, EngineRequest, EngineResponse,
    RequestBody, RequestError, Requests, SshAgent,
};

/// The most that is read of an engine's explanation of a refusal.
const MAX_REFUSAL: usize = 64 * 1024;

/// A session that is asked for.
#[napi(object, object_to_js = false)]
pub struct NativeBuildOffer {
    /// Path and query of the request, encoded.
    pub target: String,
    /// Names and values of its headers by turns.
    pub headers: Vec<String>,
    /// Names and sockets of ssh agents by turns.
    pub agents: Vec<String>,
    /// How long the engine may be silent before it answers, in ms; 0 for ever.
    pub idle_timeout: u32,
}

/// What a session tells.
#[napi(object, object_from_js = false)]
pub struct NativeBuildEvent {
    /// First `opened`, `refused` or `failed`; after `opened`, `secret` and `credentials`.
    pub name: &'static str,
    /// The number of a question, to answer it by.
    pub question: Option<u32>,
    /// The id of a secret, or a registry's host.
    pub subject: Option<String>,
    /// The HTTP status, for `refused`.
    pub status: Option<u16>,
    /// The body, for `refused`.
    pub body: Option<Buffer>,
    /// Why there is no session, for `failed`.
    pub error: Option<NativeFailure>,
    /// The system's number for that error, if it has one.
    pub errno: Option<i32>,
}

impl NativeBuildEvent {
    fn named(name: &'static str) -> Self {
        Self {
            name,
            question: None,
            subject: None,
            status: None,
            body: None,
            error: None,
            errno: None,
        }
    }

    fn failed(error: &RequestError) -> Self {
        Self {
            error: Some(NativeFailure::new(error.code(), error)),
            errno: error.system_error(),
            ..Self::named("failed")
        }
    }
}

/// Takes the answer to one question.
enum Reply {
    Secret(oneshot::Sender<Option<Bytes>>),
    Credentials(oneshot::Sender<Credentials>),
}

/// Questions that JavaScript has not answered yet.
#[derive(Default)]
struct Open {
    last: u32,
    replies: HashMap<u32, Reply>,
}

impl Open {
    fn add(&mut self, reply: Reply) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.replies.insert(self.last, reply);
        self.last
    }
}

type Questions = Arc<Mutex<Open>>;

fn lock(questions: &Questions) -> MutexGuard<'_, Open> {
    questions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session of a build. It keeps the process alive until it is closed, or could not be opened.
#[napi]
pub struct NativeBuildSession {
    questions: Questions,
    channel: Arc<Channel<NativeBuildEvent>>,
    task: AbortHandle,
}

#[napi]
impl NativeBuildSession {
    /// Asks for the session; `listener` is told what comes of it, and what the builder asks.
    #[napi(constructor)]
    pub fn new(
        requests: &NativeRequests,
        offer: NativeBuildOffer,
        #[napi(ts_arg_type = "(signal: number, event?: NativeBuildEvent) => void")]
        listener: Listener<'_, NativeBuildEvent>,
    ) -> Result<Self, napi::Error<Code>> {
        let runtime = request_runtime().map_err(Code::wrap)?;
        let channel = Channel::holding(listener).map_err(Code::wrap)?;
        let questions = Questions::default();
        let wanted = wanted(offer, &questions, &channel);
        let (requests, to) = (requests.requests(), Arc::clone(&channel));
        let task = runtime.spawn(async move { run(&requests, wanted, &to).await });
        Ok(Self { questions, channel, task: task.abort_handle() })
    }

    /// Answers the question for a secret; `null`: there is no such secret.
    #[napi]
    pub fn give_secret(&self, question: u32, value: Option<Buffer>) {
        if let Some(Reply::Secret(reply)) = lock(&self.questions).replies.remove(&question) {
            // The builder may have gone meanwhile.
            let _ = reply.send(value.map(|value| Bytes::from(Vec::from(value))));
        }
    }

    /// Answers the question for a registry's credentials; both empty: there are none.
    #[napi]
    pub fn give_credentials(&self, question: u32, username: String, secret: String) {
        if let Some(Reply::Credentials(reply)) = lock(&self.questions).replies.remove(&question) {
            let _ = reply.send(Credentials { username, secret });
        }
    }

    /// Ends the session with all that is under way in it. No event follows.
    #[napi]
    pub fn close(&self) {
        self.channel.close();
        self.task.abort();
        lock(&self.questions).replies.clear();
    }
}

impl Drop for NativeBuildSession {
    /// The object is garbage, or its environment ends.
    fn drop(&mut self) {
        self.close();
    }
}

fn wanted(
    offer: NativeBuildOffer,
    questions: &Questions,
    channel: &Arc<Channel<NativeBuildEvent>>,
) -> (EngineRequest, BuildOffer) {
    let idle = Duration::from_millis(offer.idle_timeout.into());
    let request = EngineRequest {
        method: "POST".to_owned(),
        target: offer.target,
        headers: pairs(offer.headers),
        body: RequestBody::Empty,
        idle_timeout: (!idle.is_zero()).then_some(idle),
        direct: false,
    };
    let agents = pairs(offer.agents).into_iter();
    let agents = agents.map(|(id, socket)| SshAgent { id, socket: socket.into() }).collect();
    let (questions, channel) = (Arc::clone(questions), Arc::clone(channel));
    let ask = Box::new(move |question| {
        let event = asked(question, &mut lock(&questions));
        channel.send(event);
    });
    (request, BuildOffer { agents, ask })
}

fn asked(question: BuildQuestion, open: &mut Open) -> NativeBuildEvent {
    let (name, subject, reply) = match question {
        BuildQuestion::Secret { id, answer } => ("secret", id, Reply::Secret(answer)),
        BuildQuestion::Credentials { host, answer } => {
            ("credentials", host, Reply::Credentials(answer))
        }
    };
    NativeBuildEvent {
        question: Some(open.add(reply)),
        subject: Some(subject),
        ..NativeBuildEvent::named(name)
    }
}

async fn run(
    requests: &Requests,
    (request, offer): (EngineRequest, BuildOffer),
    to: &Channel<NativeBuildEvent>,
) {
    let failed = match requests.open_build_session(request, offer).await {
        Ok(BuildOpening::Open(session)) => {
            to.send(NativeBuildEvent::named("opened"));
            session.serve().await;
            return;
        }
        Ok(BuildOpening::Refused(response)) => refused(response).await,
        Err(error) => NativeBuildEvent::failed(&error),
    };
    to.send(failed);
    to.close();
}

async fn refused(response: EngineResponse) -> NativeBuildEvent {
    let Content::Body(body) = response.content else { return NativeBuildEvent::named("refused") };
    match body.gather(MAX_REFUSAL).await {
        Ok(body) => NativeBuildEvent {
            status: Some(response.status),
            body: Some(Buffer::from(Vec::from(body))),
            ..NativeBuildEvent::named("refused")
        },
        Err(error) => NativeBuildEvent::failed(&error),
    }
}
