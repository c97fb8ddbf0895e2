//! A server for `lib/server.js`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use napi::{
    Env,
    bindgen_prelude::{Buffer, BufferSlice, Object},
};
use napi_derive::napi;

use super::{
    bridge::NativeBridge,
    channel::{Channel, Listener},
    failure::{Code, NativeFailure},
    options::{NativeHandshake, NativeServerOptions},
    runtime::runtime,
    settle::settle,
};
use crate::server::{
    Handshake, PeerStream, Server, ServerError, ServerEvent, ServerOptions, SessionInfo,
};

/// What a server tells.
#[napi(object, object_from_js = false)]
pub struct NativeServerEvent {
    /// `added`, `removed`, `settled` (no process is left of it) or `error`.
    pub name: &'static str,
    /// The new session, for `added`.
    pub session: Option<NativeSession>,
    /// The session that is over, for `removed` and `settled`.
    pub id: Option<f64>,
    /// What failed, for `error`.
    pub error: Option<NativeFailure>,
}

/// A session.
#[napi(object, object_from_js = false)]
pub struct NativeSession {
    /// Unique within its server.
    pub id: f64,
    /// The command with its arguments.
    pub command: Vec<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// The peer's address, if it is known.
    pub remote_address: Option<String>,
}

/// Where a server listens.
#[napi(object, object_from_js = false)]
pub struct NativeAddress {
    /// The IP address.
    pub address: String,
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// The port.
    pub port: u16,
}

/// A server; closed when it is garbage.
#[napi]
pub struct NativeServer {
    server: Server,
    channel: Arc<Channel<NativeServerEvent>>,
    /// Keeps the process alive while it is there.
    hold: Mutex<Option<Arc<Channel<()>>>>,
}

/// Session ids count from 1: JavaScript's numbers hold them all.
#[allow(clippy::cast_precision_loss)]
fn number(id: u64) -> f64 {
    id as f64
}

impl From<SessionInfo> for NativeSession {
    fn from(info: SessionInfo) -> Self {
        let SessionInfo { id, command, tty, remote_address } = info;
        Self { id: number(id), command, tty, remote_address }
    }
}

impl From<ServerEvent> for NativeServerEvent {
    fn from(event: ServerEvent) -> Self {
        let mut told = Self { name: "error", session: None, id: None, error: None };
        match event {
            ServerEvent::SessionAdded { session, .. } => {
                told.name = "added";
                told.session = Some(session.into());
            }
            ServerEvent::SessionRemoved { id, .. } => {
                told.name = "removed";
                told.id = Some(number(id));
            }
            ServerEvent::SessionSettled { id } => {
                told.name = "settled";
                told.id = Some(number(id));
            }
            ServerEvent::Error(error) => told.error = Some(failure(&error)),
        }
        told
    }
}

fn failure(error: &ServerError) -> NativeFailure {
    NativeFailure::new(error.code(), error)
}

#[napi]
impl NativeServer {
    /// Makes a server that does nothing yet. `listener` gets its events and does not keep the
    /// process alive.
    #[napi(constructor)]
    pub fn new(
        options: NativeServerOptions,
        #[napi(ts_arg_type = "(signal: number, event?: NativeServerEvent) => void")]
        listener: Listener<'_, NativeServerEvent>,
    ) -> Result<Self, napi::Error<Code>> {
        let options = ServerOptions::try_from(options).map_err(NativeFailure::thrown)?;
        let channel = Channel::weak(listener).map_err(Code::wrap)?;
        let events = Arc::clone(&channel);
        let server = Server::new(options, Arc::new(move |event| events.send(event.into())))
            .map_err(|error| failure(&error).thrown())?;
        Ok(Self { server, channel, hold: Mutex::default() })
    }

    /// Checks that the engine answers and that the container runs.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn check<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let server = self.server.clone();
        settle(env, async move { server.check().await.map_err(|error| failure(&error)) }, |()| ())
    }

    /// Listens on a port of its own and serves there.
    #[napi(ts_return_type = "Promise<NativeAddress>")]
    pub fn listen<'env>(
        &self,
        env: &'env Env,
        host: String,
        port: u16,
    ) -> napi::Result<Object<'env>> {
        let server = self.server.clone();
        let listening =
            async move { server.listen(&host, port).await.map_err(|error| failure(&error)) };
        settle(env, listening, |address| NativeAddress {
            address: address.ip().to_string(),
            family: if address.is_ipv4() { "IPv4" } else { "IPv6" },
            port: address.port(),
        })
    }

    /// The whole HTTP response for a request that is refused, or nothing if it is not.
    #[napi]
    pub fn refusal(&self, request: NativeHandshake) -> Option<Buffer> {
        let refusal = self.server.refusal(&request.into())?;
        Some(refusal.to_http().into())
    }

    /// Prepares Node's listener behind the descriptor `fd`, where there is something to prepare.
    #[napi]
    pub fn prepare_listener(&self, fd: i32) {
        // It is served on as it is.
        #[cfg(unix)]
        let _ = super::socket::prepare_listener(fd);
        #[cfg(not(unix))]
        let _ = fd;
    }

    /// Serves a request, that was not refused, on the connection behind the descriptor `fd`;
    /// Node's socket is to be destroyed afterwards. `head` came behind the request. Nothing: there
    /// was no room, and the peer is told.
    #[napi]
    pub fn accept_socket(
        &self,
        fd: i32,
        head: BufferSlice<'_>,
        request: NativeHandshake,
    ) -> Result<Option<NativeSession>, napi::Error<Code>> {
        let _inside = runtime().map_err(Code::wrap)?.enter();
        Ok(self.accept(take_over(fd)?, &head, request))
    }

    /// The same on a bridge.
    #[napi]
    pub fn accept_bridge(
        &self,
        bridge: &NativeBridge,
        head: BufferSlice<'_>,
        request: NativeHandshake,
    ) -> Result<Option<NativeSession>, napi::Error<Code>> {
        let _inside = runtime().map_err(Code::wrap)?.enter();
        let stream = bridge.take().ok_or_else(|| Code::reason("the bridge is in use"))?;
        Ok(self.accept(PeerStream::Bridge(Box::new(stream)), &head, request))
    }

    /// Ends one session in order. `false` if there is no such session.
    #[napi]
    pub fn close_session(&self, id: f64) -> bool {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // one of our own ids
        self.server.close_session(id as u64)
    }

    /// Stops listening, ends every session and its processes; resolves when that is done.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let server = self.server.clone();
        let closing = async move {
            server.close().await;
            Ok(())
        };
        settle(env, closing, |()| ())
    }

    /// Keeps the process, and what `keeper` refers to, alive until [`Self::release`].
    #[napi]
    pub fn hold(
        &self,
        #[napi(ts_arg_type = "() => void")] keeper: Listener<'_, ()>,
    ) -> napi::Result<()> {
        let hold = Channel::holding(keeper)?;
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        Ok(())
    }

    /// Lets go of what [`Self::hold`] holds.
    #[napi]
    pub fn release(&self) {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Tells no more events.
    #[napi]
    pub fn dispose(&self) {
        self.release();
        self.channel.close();
    }
}

impl NativeServer {
    fn accept(
        &self,
        stream: PeerStream,
        head: &[u8],
        request: NativeHandshake,
    ) -> Option<NativeSession> {
        let (head, request) = (Bytes::copy_from_slice(head), Handshake::from(request));
        let (session, _) = self.server.accept(stream, head, &request)?;
        Some(session.into())
    }
}

impl Drop for NativeServer {
    /// The object is garbage, or its environment ends: nobody can close the server any more.
    fn drop(&mut self) {
        if let Ok(runtime) = runtime() {
            let server = self.server.clone();
            runtime.spawn(async move { server.close().await });
        }
    }
}

#[cfg(unix)]
pub(super) fn take_over(fd: i32) -> Result<PeerStream, napi::Error<Code>> {
    super::socket::take_over(fd).map_err(|error| Code::reason(&error.to_string()))
}

#[cfg(not(unix))]
pub(super) fn take_over(_: i32) -> Result<PeerStream, napi::Error<Code>> {
    Err(Code::reason("sockets cannot be taken over on this system"))
}
