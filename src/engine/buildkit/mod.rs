//! The session of a build by BuildKit: what the builder may ask of whoever ordered the build.
//!
//! A connection to the engine that is turned round after its upgrade: the engine makes gRPC calls
//! on it, over HTTP/2, and we answer them. Secrets, an ssh agent, and the credentials of
//! registries go this way; none of them is part of the build's request. The few messages are
//! read and written by `message.rs`, and gRPC's frame around them by `grpc.rs`.

mod agent;
mod grpc;
mod message;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{HeaderMap, Request};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use agent::SshAgent;
use grpc::{Answer, Messages, Refusal};

use super::request::{EngineRequest, EngineResponse, RequestError, Requests, Upgrade};

/// Calls of the builder that may be under way at the same time.
const MAX_CALLS: u32 = 128;
/// `grpc.health.v1.HealthCheckResponse` with the status "serving".
const SERVING: &[u8] = &[0x08, 0x01];

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const CHECK_AGENT: &str = "/moby.sshforward.v1.SSH/CheckAgent";
const FORWARD_AGENT: &str = "/moby.sshforward.v1.SSH/ForwardAgent";
const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";

/// A user of a registry.
#[derive(Default)]
pub struct Credentials {
    /// The name; empty with a token.
    pub username: String,
    /// The password or the token.
    pub secret: String,
}

/// What a builder asks for. To drop the sender of an answer is to refuse.
pub enum BuildQuestion {
    /// The value of a secret; `None`: there is no such secret.
    Secret {
        /// What the build calls it.
        id: String,
        /// Takes the value.
        answer: oneshot::Sender<Option<Bytes>>,
    },
    /// Who to be for a registry.
    Credentials {
        /// The registry.
        host: String,
        /// Takes name and password, both empty for a registry that is asked as nobody.
        answer: oneshot::Sender<Credentials>,
    },
}

/// What a session has for a build.
pub struct BuildOffer {
    /// The ssh agents that it may use.
    pub agents: Vec<SshAgent>,
    /// Told of each question. Must not block.
    pub ask: Box<dyn Fn(BuildQuestion) + Send + Sync>,
}

/// What became of the request for a session.
pub enum BuildOpening {
    /// It is there.
    Open(BuildSession),
    /// The engine has none, and says why.
    Refused(EngineResponse),
}

/// A session that the engine has agreed to. Nothing is answered before [`BuildSession::serve`].
pub struct BuildSession {
    connection: Upgraded,
    offer: Arc<BuildOffer>,
}

impl Requests {
    /// Asks for a session with `request`, a `POST /session` whose headers say the session's name.
    /// The upgrade and the calls that are answered are added to them.
    ///
    /// # Errors
    ///
    /// As [`Requests::send`].
    pub async fn open_build_session(
        &self,
        mut request: EngineRequest,
        offer: BuildOffer,
    ) -> Result<BuildOpening, RequestError> {
        let mut add = |name: &str, value: &str| request.headers.push((name.into(), value.into()));
        add("Connection", "Upgrade");
        add("Upgrade", "h2c");
        for call in [HEALTH, GET_SECRET, CREDENTIALS] {
            add("X-Docker-Expose-Session-Grpc-Method", call);
        }
        if !offer.agents.is_empty() {
            add("X-Docker-Expose-Session-Grpc-Method", CHECK_AGENT);
            add("X-Docker-Expose-Session-Grpc-Method", FORWARD_AGENT);
        }
        Ok(match self.upgrade(request).await? {
            Upgrade::Done(connection) => {
                BuildOpening::Open(BuildSession { connection, offer: Arc::new(offer) })
            }
            Upgrade::Refused(response) => BuildOpening::Refused(response),
        })
    }
}

impl BuildSession {
    /// Answers until the engine ends the session or is gone, which the build itself tells of.
    /// To drop this future is to end the session at once, with all that is under way in it.
    pub async fn serve(self) {
        let calls = CancellationToken::new();
        let _end = calls.clone().drop_guard();
        let offer = self.offer;
        let service = service_fn(move |request| {
            let offer = Arc::clone(&offer);
            async move { Ok::<_, Infallible>(respond(&offer, request).await) }
        });
        let serving = http2::Builder::new(Calls(calls))
            .max_concurrent_streams(MAX_CALLS)
            .serve_connection(self.connection, service);
        // However it ends, the build has more to say about it.
        let _ = serving.await;
    }
}

/// Runs the calls of one session, until it ends.
#[derive(Clone)]
struct Calls(CancellationToken);

impl<F> Executor<F> for Calls
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, call: F) {
        tokio::spawn(self.0.clone().run_until_cancelled_owned(call));
    }
}

async fn respond(offer: &BuildOffer, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let messages = Messages::new(body);
    match head.uri.path() {
        HEALTH => grpc::single(Ok(SERVING.to_vec())),
        GET_SECRET => grpc::single(secret(offer, messages).await),
        CREDENTIALS => grpc::single(credentials(offer, messages).await),
        CHECK_AGENT if !offer.agents.is_empty() => grpc::single(check(offer, messages).await),
        FORWARD_AGENT if !offer.agents.is_empty() => lend(offer, &head.headers, messages).await,
        other => grpc::single(Err(Refusal::unimplemented(format!("there is no call {other}")))),
    }
}

async fn secret(offer: &BuildOffer, messages: Messages) -> Result<Vec<u8>, Refusal> {
    let id = message::text(&messages.one().await?, 1)?;
    let (answer, answered) = oneshot::channel();
    (offer.ask)(BuildQuestion::Secret { id: id.clone(), answer });
    let value = answered
        .await
        .map_err(|_| Refusal::unavailable(format!("the secret {id:?} cannot be had")))?
        .ok_or_else(|| Refusal::not_found(format!("there is no secret {id:?}")))?;
    let mut reply = Vec::with_capacity(value.len() + 8);
    message::put(&mut reply, 1, &value);
    Ok(reply)
}

async fn credentials(offer: &BuildOffer, messages: Messages) -> Result<Vec<u8>, Refusal> {
    let host = message::text(&messages.one().await?, 1)?;
    let (answer, answered) = oneshot::channel();
    (offer.ask)(BuildQuestion::Credentials { host: host.clone(), answer });
    let user = answered
        .await
        .map_err(|_| Refusal::unavailable(format!("the credentials for {host} cannot be had")))?;
    let mut reply = Vec::new();
    message::put(&mut reply, 1, user.username.as_bytes());
    message::put(&mut reply, 2, user.secret.as_bytes());
    Ok(reply)
}

fn agent<'a>(offer: &'a BuildOffer, id: &str) -> Result<&'a SshAgent, Refusal> {
    let id = if id.is_empty() { "default" } else { id };
    let found = offer.agents.iter().find(|agent| agent.id == id);
    found.ok_or_else(|| Refusal::not_found(format!("there is no ssh agent {id:?}")))
}

async fn check(offer: &BuildOffer, messages: Messages) -> Result<Vec<u8>, Refusal> {
    let id = message::text(&messages.one().await?, 1)?;
    agent(offer, &id)?.connect().await?;
    Ok(Vec::new())
}

async fn lend(offer: &BuildOffer, headers: &HeaderMap, messages: Messages) -> Answer {
    let id = headers.get("buildkit.ssh.id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let connecting = async { agent(offer, id)?.connect().await };
    match connecting.await {
        Ok(socket) => grpc::answer(agent::forward(messages, socket)),
        Err(refusal) => grpc::single(Err(refusal)),
    }
}
