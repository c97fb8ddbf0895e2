//! Options as `lib/options.js` hands them over: complete and checked for type, in milliseconds
//! and bytes.

use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::failure::NativeFailure;
use super::ssh::{NativeSshOptions, with_ssh};
use crate::{
    client::{ClientOptions, TlsOptions},
    server::{EngineHost, Handshake, KeepAlive, Origins, ServerOptions},
    session::OnDisconnect,
};

/// Settings of a server.
#[napi(object, object_to_js = false)]
pub struct NativeServerOptions {
    /// The path that WebSockets are accepted on.
    pub path: String,
    /// The container's name or id.
    pub container: String,
    /// The engine in the syntax of `DOCKER_HOST`; that variable itself if this is not given.
    pub engine: Option<String>,
    /// How the connection to it is made, if it is through ssh.
    pub ssh: Option<NativeSshOptions>,
    /// For one call to the engine, in ms.
    pub engine_timeout: u32,
    /// Sessions at once.
    pub max_sessions: u32,
    /// Words in front of each command.
    pub wrapper_command: Vec<String>,
    /// Whether a command is ended when its peer goes.
    pub kill_on_disconnect: bool,
    /// From asking processes to end to making them, in ms.
    pub kill_grace: u32,
    /// `any`, `same` or `list`.
    pub origins: String,
    /// The origins for `list`.
    pub origin_list: Vec<String>,
    /// Whether to listen where others than this machine come.
    pub allow_remote: bool,
    /// The largest message to take, in bytes.
    pub max_message_size: u32,
    /// Input that may wait for a command, in bytes.
    pub stdin_limit: u32,
    /// Silence before a ping, in ms; 0 for no pings.
    pub keep_alive_interval: u32,
    /// Silence after a ping, in ms.
    pub keep_alive_timeout: u32,
    /// For a handshake on the server's own listener, in ms.
    pub handshake_timeout: u32,
    /// Handshakes at once on the server's own listener.
    pub max_handshakes: u32,
    /// For the peer to answer a close, in ms.
    pub close_timeout: u32,
}

/// Settings of a client.
#[napi(object, object_to_js = false)]
pub struct NativeClientOptions {
    /// Where to connect, without what says what to run.
    pub url: String,
    /// Whether the command gets a terminal.
    pub tty: bool,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The terminal's first size.
    pub rows: Option<u16>,
    /// The terminal's first size.
    pub cols: Option<u16>,
    /// Headers of the handshake: name, value, name, value …
    pub headers: Vec<String>,
    /// Certificates to trust, PEM or DER.
    pub ca: Vec<Buffer>,
    /// The client's certificate, PEM or DER.
    pub cert: Option<Buffer>,
    /// The client's key, PEM or DER.
    pub key: Option<Buffer>,
    /// Whether the server must prove who it is.
    pub reject_unauthorized: bool,
    /// The name to check, if it is not the URL's host.
    pub server_name: Option<String>,
    /// For the connection and the handshake, in ms.
    pub connect_timeout: u32,
    /// The largest message to take, in bytes.
    pub max_message_size: u32,
    /// Output that may wait to be read, for each stream, in bytes.
    pub output_limit: u32,
    /// Input that may wait to be sent, in bytes.
    pub input_limit: u32,
    /// Silence before a ping, in ms; 0 for no pings.
    pub keep_alive_interval: u32,
    /// Silence after a ping, in ms.
    pub keep_alive_timeout: u32,
    /// For the server to answer a close, in ms.
    pub close_timeout: u32,
}

/// A request to open a WebSocket, as Node's HTTP parser understood it.
#[napi(object, object_to_js = false)]
pub struct NativeHandshake {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order: name, value, name, value …
    pub headers: Vec<String>,
    /// The peer's address.
    pub remote_address: Option<String>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

fn ms(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}

/// Pairs up what alternates; a last one without a partner is dropped.
fn pairs(words: Vec<String>) -> Vec<(String, String)> {
    let mut words = words.into_iter();
    std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect()
}

impl TryFrom<NativeServerOptions> for ServerOptions {
    type Error = NativeFailure;

    fn try_from(given: NativeServerOptions) -> Result<Self, NativeFailure> {
        let engine = match given.engine {
            Some(host) => host.parse(),
            None => EngineHost::from_env(),
        };
        let engine = engine.map_err(|error| NativeFailure::new(error.code(), &error))?;
        let engine = with_ssh(engine, given.ssh);
        Ok(Self {
            engine_timeout: ms(given.engine_timeout),
            max_sessions: given.max_sessions as usize,
            wrapper_command: given.wrapper_command,
            on_disconnect: if given.kill_on_disconnect {
                OnDisconnect::Kill
            } else {
                OnDisconnect::Leave
            },
            kill_grace: ms(given.kill_grace),
            origins: match given.origins.as_str() {
                "any" => Origins::Any,
                "list" => Origins::List(given.origin_list),
                _ => Origins::Same,
            },
            allow_remote: given.allow_remote,
            max_message_size: given.max_message_size as usize,
            stdin_limit: given.stdin_limit as usize,
            keep_alive: KeepAlive {
                interval: ms(given.keep_alive_interval),
                timeout: ms(given.keep_alive_timeout),
            },
            handshake_timeout: ms(given.handshake_timeout),
            max_handshakes: given.max_handshakes as usize,
            close_timeout: ms(given.close_timeout),
            ..Self::on(engine, given.path, given.container)
        })
    }
}

impl From<NativeClientOptions> for ClientOptions {
    fn from(given: NativeClientOptions) -> Self {
        Self {
            url: given.url,
            tty: given.tty,
            command: given.command,
            size: given.rows.zip(given.cols),
            headers: pairs(given.headers),
            tls: TlsOptions {
                ca: given.ca.into_iter().map(Vec::from).collect(),
                cert: given.cert.map(Vec::from),
                key: given.key.map(Vec::from),
                reject_unauthorized: given.reject_unauthorized,
                server_name: given.server_name,
            },
            connect_timeout: ms(given.connect_timeout),
            max_message_size: given.max_message_size as usize,
            output_limit: given.output_limit as usize,
            input_limit: given.input_limit as usize,
            keep_alive: KeepAlive {
                interval: ms(given.keep_alive_interval),
                timeout: ms(given.keep_alive_timeout),
            },
            close_timeout: ms(given.close_timeout),
        }
    }
}

impl From<NativeHandshake> for Handshake {
    fn from(given: NativeHandshake) -> Self {
        Self {
            method: given.method,
            target: given.target,
            headers: pairs(given.headers),
            remote_address: given.remote_address,
            secure: given.secure,
        }
    }
}
