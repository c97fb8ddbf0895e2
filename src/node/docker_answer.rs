//! From an engine's answer to what JavaScript reads of it.

use std::{future::poll_fn, sync::Arc, task::Waker};

use bytes::Bytes;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tokio::runtime::Handle;

use super::{
    channel::Channel, docker::OUTPUT_LIMIT, docker_output::Output, failure::NativeFailure,
};
use crate::{
    engine::{
        Content, EngineRequest, EngineResponse, HijackedInput, HijackedOutput, RequestError,
        Requests, ResponseBody, SocketOutput, StreamOutput,
    },
    pipe::Pipe,
};

/// The longest answer that is gathered: what one string of JavaScript can hold.
pub(super) const ANSWER_LIMIT: usize = 512 * 1024 * 1024;

/// What a request tells.
#[napi(object, object_from_js = false)]
pub struct NativeDialEvent {
    /// `answer`; then, unless the answer came as a whole, `ended`. Or `failed`, at once.
    pub name: &'static str,
    /// The HTTP status, for `answer`.
    pub status: Option<u16>,
    /// The words behind the status.
    pub reason: Option<String>,
    /// Names and values of the headers by turns.
    pub headers: Option<Vec<String>>,
    /// Whether the connection is a stream in both directions now.
    pub hijacked: Option<bool>,
    /// The whole body, if it was to be gathered.
    pub body: Option<Buffer>,
    /// Why there is no answer, for `failed`; why its body is not complete, for `ended`.
    pub error: Option<NativeFailure>,
    /// The system's number for that error, if it has one.
    pub errno: Option<i32>,
}

impl NativeDialEvent {
    fn named(name: &'static str) -> Self {
        Self {
            name,
            status: None,
            reason: None,
            headers: None,
            hijacked: None,
            body: None,
            error: None,
            errno: None,
        }
    }

    fn failing(name: &'static str, error: &RequestError) -> Self {
        Self {
            error: Some(NativeFailure::new(error.code(), error)),
            errno: error.system_error(),
            ..Self::named(name)
        }
    }
}

/// Where an answer goes.
pub(super) struct NativeAnswer {
    pub(super) input: Arc<Pipe>,
    pub(super) output: Arc<Output>,
    /// Tells that there is something in `output`.
    pub(super) signal: Waker,
    pub(super) channel: Arc<Channel<NativeDialEvent>>,
    /// Whether a hijacked connection is a terminal's.
    pub(super) terminal: bool,
}

/// Sends `request` and passes its answer on, to the end.
pub(super) async fn run(
    requests: &Requests,
    request: EngineRequest,
    gather: bool,
    to: NativeAnswer,
) {
    let (head, content) = match requests.send(request).await {
        Ok(response) => take_apart(response),
        Err(error) => return to.close(NativeDialEvent::failing("failed", &error)),
    };
    match content {
        Content::Body(body) if gather => match body.gather(ANSWER_LIMIT).await {
            Ok(body) => {
                to.close(NativeDialEvent { body: Some(Buffer::from(Vec::from(body))), ..head });
            }
            Err(error) => to.close(NativeDialEvent::failing("failed", &error)),
        },
        Content::Body(body) => {
            to.channel.send(head);
            let outcome = to.receive(body).await;
            to.end(outcome);
        }
        Content::Socket(body) => {
            to.channel.send(head);
            let outcome = to.read(body).await;
            to.end(outcome);
        }
        Content::Hijacked(input, output) => {
            let mut connection = Connection { terminal: to.terminal, ends: Some((input, output)) };
            let Some((input, output)) = &mut connection.ends else { return };
            if let HijackedOutput::Socket(output) = output {
                to.output.join(Arc::clone(output));
            }
            to.channel.send(NativeDialEvent { hijacked: Some(true), ..head });
            let outcome = match output {
                HijackedOutput::Socket(_) => to.beside(input, to.output.serve(&to.signal)).await,
                HijackedOutput::Stream(output) => to.beside(input, to.take(output)).await,
            };
            to.end(outcome);
        }
    }
}

/// A hijacked connection. To drop a terminal's is to leave it in order.
struct Connection {
    terminal: bool,
    ends: Option<(HijackedInput, HijackedOutput)>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Without a runtime the process ends.
        if let Some((input, output)) = self.ends.take().filter(|_| self.terminal)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(output.detach(input));
        }
    }
}

fn take_apart(response: EngineResponse) -> (NativeDialEvent, Content) {
    let headers = response.headers.into_iter().flat_map(|(name, value)| [name, value]);
    let head = NativeDialEvent {
        status: Some(response.status),
        reason: Some(response.reason),
        headers: Some(headers.collect()),
        hijacked: Some(false),
        ..NativeDialEvent::named("answer")
    };
    (head, response.content)
}

impl NativeAnswer {
    /// The last word.
    fn close(&self, event: NativeDialEvent) {
        self.channel.send(event);
        self.channel.close();
    }

    fn end(&self, outcome: Result<(), RequestError>) {
        // Before the reader learns of the end, it is to know what kind of end it is.
        self.channel.send(match &outcome {
            Ok(()) => NativeDialEvent::named("ended"),
            Err(error) => NativeDialEvent::failing("ended", error),
        });
        self.output.pipe.end();
        self.input.close();
        self.channel.close();
    }

    /// Waits until there is room for more to be read.
    async fn room(&self) {
        poll_fn(|cx| self.output.pipe.poll_room(cx)).await;
    }

    async fn receive(&self, mut body: ResponseBody) -> Result<(), RequestError> {
        while let Some(bytes) = body.next().await? {
            self.output.pipe.push(bytes);
            self.room().await;
        }
        Ok(())
    }

    /// A short body is taken off its socket, and the request is over, whether or not somebody reads
    /// it. Of a longer one JavaScript reads the socket itself.
    async fn read(&self, body: Box<SocketOutput>) -> Result<(), RequestError> {
        let mut queued = 0;
        while queued < OUTPUT_LIMIT {
            let Some(bytes) = body.next().await? else { return Ok(()) };
            queued += bytes.len();
            self.output.pipe.push(bytes);
            self.room().await;
        }
        self.output.join(Arc::from(body));
        // Whoever waited for the queue has to look at the socket now.
        self.signal.wake_by_ref();
        self.output.serve(&self.signal).await
    }

    async fn take(&self, output: &mut StreamOutput) -> Result<(), RequestError> {
        while let Some(bytes) = output.next().await? {
            self.output.pipe.push(bytes);
            self.room().await;
        }
        Ok(())
    }

    /// Both directions of a hijacked connection: what comes decides the end.
    async fn beside(
        &self,
        input: &mut HijackedInput,
        receiving: impl Future<Output = Result<(), RequestError>>,
    ) -> Result<(), RequestError> {
        let sending = async {
            while let Some(bytes) = self.next_input().await {
                if input.write(&bytes).await.is_err() {
                    self.input.close();
                    break;
                }
            }
            // Why nothing can be sent any more shows in what is received.
            let _ = input.end().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = receiving => outcome,
            () = sending => Ok(()),
        }
    }

    async fn next_input(&self) -> Option<Bytes> {
        poll_fn(|cx| self.input.poll_next(cx)).await
    }
}
