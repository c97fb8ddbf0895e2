//! Requests to an engine for `lib/docker/modem.js`.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tokio::task::AbortHandle;

use super::{
    channel::{Channel, Listener},
    docker_answer::{NativeAnswer, NativeDialEvent, run},
    docker_output::Output,
    failure::{Code, NativeFailure},
    pipes::{ByteReader, ByteSource, ByteWriter},
    runtime::request_runtime,
    ssh::{NativeSshOptions, with_ssh},
};
use crate::{
    client::TlsOptions,
    engine::{EngineHost, EngineRequest, RequestBody, Requests, Secure},
    pipe::Pipe,
};

/// Bytes of a request's body, or of what is sent on a hijacked connection, that may wait.
const INPUT_LIMIT: usize = 256 * 1024;
/// Bytes of an answer that may wait to be read.
pub(super) const OUTPUT_LIMIT: usize = 1024 * 1024;

/// Signal: there is something to read, or the end.
const OUTPUT: u32 = 1;
/// Signal: there is room for more to send.
const INPUT: u32 = 2;

/// Where an engine is and how it is connected to.
#[napi(object, object_to_js = false)]
pub struct NativeEngineOptions {
    /// `unix:///path`, `tcp://name:port` or `ssh://user@name:port/path`.
    pub host: String,
    /// How the connection is made, if it is through ssh.
    pub ssh: Option<NativeSshOptions>,
    /// Whether the connection is within TLS.
    pub tls: bool,
    /// Certificates to trust, each PEM or DER; if none, those that browsers trust.
    pub ca: Vec<Buffer>,
    /// The client's certificate.
    pub cert: Option<Buffer>,
    /// Its key.
    pub key: Option<Buffer>,
    /// For connecting, TLS included, in ms.
    pub connect_timeout: u32,
}

/// A request.
#[napi(object, object_to_js = false)]
pub struct NativeRequest {
    /// The method.
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
    /// Names and values by turns.
    pub headers: Vec<String>,
    /// The body, if it is there as a whole.
    pub body: Option<Buffer>,
    /// Whether the body comes through `input()`.
    pub streams: bool,
    /// Whether the answer's body is gathered and comes with the answer.
    pub gather: bool,
    /// Whether the connection, once it is hijacked, is a terminal's: it is left in order then.
    pub terminal: bool,
    /// How long nothing may be sent or received, in ms; 0 for ever.
    pub idle_timeout: u32,
}

/// Makes requests of one engine; connections are kept and used again.
#[napi]
pub struct NativeRequests {
    requests: Requests,
    /// The engine, unless it is within TLS.
    plain: Option<EngineHost>,
}

#[napi]
impl NativeRequests {
    /// Does no I/O.
    #[napi(constructor)]
    pub fn new(mut options: NativeEngineOptions) -> Result<Self, napi::Error<Code>> {
        let host = options.host.parse::<EngineHost>();
        let host = host.map_err(|error| NativeFailure::new(error.code(), &error).thrown())?;
        let host = with_ssh(host, options.ssh.take());
        let secure = if options.tls { Some(secure(&options, &host)?) } else { None };
        let connect_timeout = Duration::from_millis(options.connect_timeout.into());
        let plain = secure.is_none().then(|| host.clone());
        Ok(Self { requests: Requests::new(host, secure, connect_timeout), plain })
    }
}

impl NativeRequests {
    /// What it is made of, for whatever else goes over its connections.
    pub(super) fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// The engine, if it can be asked without TLS.
    pub(super) fn plain_host(&self) -> Option<&EngineHost> {
        self.plain.as_ref()
    }
}

fn secure(options: &NativeEngineOptions, host: &EngineHost) -> Result<Secure, napi::Error<Code>> {
    let unusable =
        |message| NativeFailure { code: "DEW_BAD_OPTION", message, causes: Vec::new() }.thrown();
    let EngineHost::Tcp { host, .. } = host else {
        return Err(unusable("TLS needs a host and a port, not a socket's path".to_owned()));
    };
    let tls = TlsOptions {
        ca: options.ca.iter().map(|ca| ca.to_vec()).collect(),
        cert: options.cert.as_ref().map(|cert| cert.to_vec()),
        key: options.key.as_ref().map(|key| key.to_vec()),
        ..TlsOptions::default()
    };
    let config = tls.config().map_err(unusable)?;
    let name = tls.name(host).map_err(unusable)?;
    Ok(Secure::new(config, name))
}

/// A request under way. It keeps the process, and what its listener refers to, alive until its
/// answer is complete, or until it is aborted.
#[napi]
pub struct NativeDial {
    input: Arc<Pipe>,
    output: Arc<Output>,
    channel: Arc<Channel<NativeDialEvent>>,
    task: AbortHandle,
}

#[napi]
impl NativeDial {
    /// Sends `request`. `listener` gets the answer and the end as events, and the signals 1
    /// (something to read) and 2 (room for more to send).
    #[napi(constructor)]
    pub fn new(
        requests: &NativeRequests,
        request: NativeRequest,
        #[napi(ts_arg_type = "(signal: number, event?: NativeDialEvent) => void")]
        listener: Listener<'_, NativeDialEvent>,
    ) -> Result<Self, napi::Error<Code>> {
        let runtime = request_runtime().map_err(Code::wrap)?;
        let channel = Channel::holding(listener).map_err(Code::wrap)?;
        let (input, output) = (Pipe::new(INPUT_LIMIT), Output::new(OUTPUT_LIMIT));
        let (gather, terminal) = (request.gather, request.terminal);
        let request = engine_request(request, &input);
        let answer = NativeAnswer {
            input: Arc::clone(&input),
            output: Arc::clone(&output),
            signal: channel.signal(OUTPUT),
            channel: Arc::clone(&channel),
            terminal,
        };
        let requests = requests.requests.clone();
        let task = runtime.spawn(async move { run(&requests, request, gather, answer).await });
        Ok(Self { input, output, channel, task: task.abort_handle() })
    }

    /// The answer's body, or what comes on a hijacked connection.
    #[napi]
    pub fn output(&self) -> ByteReader {
        ByteReader::new(Arc::clone(&self.output) as _, self.channel.signal(OUTPUT))
    }

    /// The request's body, or what is sent on a hijacked connection.
    #[napi]
    pub fn input(&self) -> ByteWriter {
        ByteWriter::new(Arc::clone(&self.input), self.channel.signal(INPUT))
    }

    /// Drops the connection, or leaves the terminal. No event follows.
    #[napi]
    pub fn abort(&self) {
        self.channel.close();
        self.task.abort();
        self.input.close();
        self.output.close();
    }
}

impl Drop for NativeDial {
    /// The object is garbage, or its environment ends: nobody waits for the answer any more.
    fn drop(&mut self) {
        self.abort();
    }
}

fn engine_request(request: NativeRequest, input: &Arc<Pipe>) -> EngineRequest {
    let headers = pairs(request.headers);
    let body = match request.body {
        _ if request.streams => RequestBody::Stream(Box::pin(Upload(Arc::clone(input)))),
        Some(bytes) => RequestBody::Bytes(Bytes::from(Vec::from(bytes))),
        None => RequestBody::Empty,
    };
    let idle = Duration::from_millis(request.idle_timeout.into());
    EngineRequest {
        method: request.method,
        target: request.target,
        headers,
        body,
        idle_timeout: (!idle.is_zero()).then_some(idle),
        direct: !request.gather,
    }
}

/// What comes as a list, two by two.
pub(super) fn pairs(words: Vec<String>) -> Vec<(String, String)> {
    let mut words = words.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        pairs.push((name, value));
    }
    pairs
}

/// A body that JavaScript writes.
struct Upload(Arc<Pipe>);

impl Stream for Upload {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx).map(|chunk| chunk.map(Ok))
    }
}

impl Drop for Upload {
    /// Nobody sends any more: an answer came early, or the connection broke.
    fn drop(&mut self) {
        self.0.close();
    }
}
