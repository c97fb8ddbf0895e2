//! A client for `lib/client.js`.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use bytes::Bytes;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;
use tokio::task::AbortHandle;

use super::{
    bridge::NativeBridge,
    channel::{Channel, Listener},
    failure::{Code, NativeFailure},
    options::NativeClientOptions,
    pipes::{ByteReader, ByteWriter},
    runtime::runtime,
    server::take_over,
};
use crate::client::{Client, ClientError, ClientEvent, ClientEvents, ClientOptions, PeerStream};

/// Signal: there is standard output, or its end.
const STDOUT: u32 = 1;
/// Signal: there is standard error, or its end.
const STDERR: u32 = 2;
/// Signal: there is room for input.
const STDIN: u32 = 3;

/// What a client tells.
#[napi(object, object_from_js = false)]
pub struct NativeClientEvent {
    /// `open`, `failed`, `resumed`, `paused`, `exit`, `shutdown`, `message` (the server's error
    /// text) or `closed`, which is the last.
    pub name: &'static str,
    /// The exit code for `exit`, the close code for `closed`.
    pub code: Option<u32>,
    /// The server's text for `message`, the reason for `closed`.
    pub text: Option<String>,
    /// Why there is no connection, for `failed`; why it was lost, for `closed`.
    pub error: Option<NativeFailure>,
}

impl NativeClientEvent {
    fn named(name: &'static str) -> Self {
        Self { name, code: None, text: None, error: None }
    }
}

impl From<ClientEvent> for NativeClientEvent {
    fn from(event: ClientEvent) -> Self {
        match event {
            ClientEvent::Resumed => Self::named("resumed"),
            ClientEvent::Paused => Self::named("paused"),
            ClientEvent::Exit(code) => Self { code: Some(code.into()), ..Self::named("exit") },
            ClientEvent::Shutdown => Self::named("shutdown"),
            ClientEvent::ServerError(text) => Self { text: Some(text), ..Self::named("message") },
            ClientEvent::Closed { code, reason, error } => Self {
                name: "closed",
                code: Some(code.into()),
                text: Some(reason),
                error: error.map(|error| failure(&error)),
            },
        }
    }
}

fn failure(error: &ClientError) -> NativeFailure {
    NativeFailure::new(error.code(), error)
}

/// A client, before, during and after its connection. It keeps the process, and what its
/// listener refers to, alive until `failed` or `closed`, or until it is terminated before.
#[napi]
pub struct NativeClient {
    url: String,
    teller: Arc<Teller>,
    connection: Arc<Connection>,
    options: Mutex<Option<ClientOptions>>,
}

/// Tells events in the right order.
struct Teller {
    channel: Arc<Channel<NativeClientEvent>>,
    /// What happened before `open` was told; nothing once it was.
    early: Mutex<Option<Vec<NativeClientEvent>>>,
}

impl Teller {
    fn tell(&self, event: ClientEvent) {
        // The lock is held while the event is passed on: that keeps the order.
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        match early.as_mut() {
            Some(early) => early.push(event.into()),
            None => self.pass_on(event.into()),
        }
    }

    fn tell_open(&self) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        self.channel.send(NativeClientEvent::named("open"));
        for event in early.take().unwrap_or_default() {
            self.pass_on(event);
        }
    }

    fn tell_failed(&self, failure: NativeFailure) {
        let event = NativeClientEvent::named("failed");
        self.channel.send(NativeClientEvent { error: Some(failure), ..event });
        self.channel.close();
    }

    fn pass_on(&self, event: NativeClientEvent) {
        let last = event.name == "closed";
        self.channel.send(event);
        if last {
            self.channel.close();
        }
    }
}

/// The connection, once there is one.
#[derive(Default)]
struct Connection {
    client: OnceLock<Client>,
    /// Nobody wants it any more.
    abandoned: AtomicBool,
    attempt: Mutex<Option<AbortHandle>>,
}

impl Connection {
    fn terminate(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        let attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = self.client.get() {
            client.terminate();
        } else if let Some(attempt) = attempt {
            attempt.abort();
        }
    }

    fn set(&self, client: Client) {
        let client = self.client.get_or_init(|| client);
        // `terminate` sets the flag before it looks for the client, so one of us sees the other.
        if self.abandoned.load(Ordering::SeqCst) {
            client.terminate();
        }
    }
}

#[napi]
impl NativeClient {
    /// Makes a client that is not connected. `listener` gets its events, and the signals 1 and 2
    /// (something to read from standard output, standard error) and 3 (room for input).
    #[napi(constructor)]
    pub fn new(
        options: NativeClientOptions,
        #[napi(ts_arg_type = "(signal: number, event?: NativeClientEvent) => void")]
        listener: Listener<'_, NativeClientEvent>,
    ) -> napi::Result<Self> {
        let options = ClientOptions::from(options);
        let (channel, early) = (Channel::holding(listener)?, Mutex::new(Some(Vec::new())));
        Ok(Self {
            url: options.request_url(),
            teller: Arc::new(Teller { channel, early }),
            connection: Arc::default(),
            options: Mutex::new(Some(options)),
        })
    }

    /// The URL that is connected to, with what to run in its query.
    #[napi(getter)]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects; `open` or `failed` says how that went.
    #[napi]
    pub fn connect(&self) -> Result<(), napi::Error<Code>> {
        let (options, events) = self.parts()?;
        self.open(async move { Client::connect(options, events).await })
    }

    /// Goes on with a connection that Node opened and upgraded, behind the descriptor `fd`;
    /// Node's socket is to be destroyed afterwards. `head` came behind the response; `modern`
    /// says that the response had a header of this product's.
    #[napi]
    pub fn connect_socket(
        &self,
        fd: i32,
        head: BufferSlice<'_>,
        modern: bool,
    ) -> Result<(), napi::Error<Code>> {
        let _inside = runtime().map_err(Code::wrap)?.enter();
        self.open_over(take_over(fd)?, &head, modern)
    }

    /// The same on a bridge.
    #[napi]
    pub fn connect_bridge(
        &self,
        bridge: &NativeBridge,
        head: BufferSlice<'_>,
        modern: bool,
    ) -> Result<(), napi::Error<Code>> {
        let stream = bridge.take().ok_or_else(|| Code::reason("the bridge is in use"))?;
        self.open_over(PeerStream::Bridge(Box::new(stream)), &head, modern)
    }

    /// The command's standard output; nothing before `open`.
    #[napi]
    pub fn stdout(&self) -> Option<ByteReader> {
        Some(ByteReader::new(Arc::clone(self.client()?.stdout()) as _, self.signal(STDOUT)))
    }

    /// The command's standard error; nothing before `open`.
    #[napi]
    pub fn stderr(&self) -> Option<ByteReader> {
        Some(ByteReader::new(Arc::clone(self.client()?.stderr()) as _, self.signal(STDERR)))
    }

    /// The command's standard input; nothing before `open`. What is pushed whole must be a whole
    /// message, with its code.
    #[napi]
    pub fn stdin(&self) -> Option<ByteWriter> {
        Some(ByteWriter::new(self.client()?.clone(), self.signal(STDIN)))
    }

    /// Tells the terminal's size.
    #[napi]
    pub fn resize(&self, rows: u16, cols: u16) {
        if let Some(client) = self.client() {
            client.resize(rows, cols);
        }
    }

    /// Asks the server to send no more for now.
    #[napi]
    pub fn pause(&self) {
        if let Some(client) = self.client() {
            client.pause();
        }
    }

    /// Asks the server to send again.
    #[napi]
    pub fn resume(&self) {
        if let Some(client) = self.client() {
            client.resume();
        }
    }

    /// Closes the connection in order; `closed` follows.
    #[napi]
    pub fn close(&self) {
        if let Some(client) = self.client() {
            client.close();
        }
    }

    /// Drops the connection; `closed` follows. Without one, drops the attempt to make one, and
    /// nothing follows.
    #[napi]
    pub fn terminate(&self) {
        if self.client().is_none() {
            self.teller.channel.close();
        }
        self.connection.terminate();
    }
}

impl NativeClient {
    fn client(&self) -> Option<&Client> {
        self.connection.client.get()
    }

    fn signal(&self, number: u32) -> Waker {
        self.teller.channel.signal(number)
    }

    /// What a connection is made with; only once.
    fn parts(&self) -> Result<(ClientOptions, ClientEvents), napi::Error<Code>> {
        let options = self.options.lock().unwrap_or_else(PoisonError::into_inner).take();
        let options = options.ok_or_else(|| Code::reason("the client was connected before"))?;
        let teller = Arc::clone(&self.teller);
        Ok((options, Arc::new(move |event| teller.tell(event))))
    }

    fn open_over(
        &self,
        stream: PeerStream,
        head: &[u8],
        modern: bool,
    ) -> Result<(), napi::Error<Code>> {
        let (options, events) = self.parts()?;
        let head = Bytes::copy_from_slice(head);
        self.open(async move { Ok(Client::over(stream, head, modern, &options, events).await) })
    }

    fn open(
        &self,
        opening: impl Future<Output = Result<Client, ClientError>> + Send + 'static,
    ) -> Result<(), napi::Error<Code>> {
        let (teller, connection) = (Arc::clone(&self.teller), Arc::clone(&self.connection));
        let task = runtime().map_err(Code::wrap)?.spawn(async move {
            match opening.await {
                Ok(client) => {
                    connection.set(client);
                    teller.tell_open();
                }
                Err(error) => teller.tell_failed(failure(&error)),
            }
        });
        let mut attempt = self.connection.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        *attempt = Some(task.abort_handle());
        Ok(())
    }
}

impl Drop for NativeClient {
    /// The object is garbage, or its environment ends: nobody can use the connection any more.
    fn drop(&mut self) {
        self.terminate();
    }
}
