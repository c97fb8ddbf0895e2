//! How engines behind ssh are connected to, as `lib/ssh.js` hands it over.

use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::engine::{EngineHost, PrivateKey, SshOptions, close_ssh};

/// Complete and checked for type; times are in ms.
#[napi(object, object_to_js = false)]
pub struct NativeSshOptions {
    /// A configuration file instead of the user's and the system's.
    pub config_file: Option<String>,
    /// Files of private keys.
    pub identity_files: Vec<String>,
    /// A private key itself.
    pub private_key: Option<Buffer>,
    /// The socket of the agent.
    pub agent: Option<String>,
    /// From the start of ssh to the engine's first answer.
    pub connect_timeout: u32,
    /// How long a connection is kept when nobody uses it.
    pub linger: u32,
    /// Silence after which the server is asked whether it is alive; 0 for never.
    pub server_alive_interval: u32,
    /// How often it is asked in vain.
    pub server_alive_count: u32,
    /// Sessions at once where the server forwards no sockets.
    pub channel_limit: u32,
    /// How long a call waits for one.
    pub queue_timeout: u32,
}

/// `host`, connected to as `given` says.
pub(super) fn with_ssh(host: EngineHost, given: Option<NativeSshOptions>) -> EngineHost {
    let Some(given) = given else { return host };
    let ms = |time: u32| Duration::from_millis(time.into());
    host.with_ssh(SshOptions {
        config_file: given.config_file.map(Into::into),
        identity_files: given.identity_files.into_iter().map(Into::into).collect(),
        private_key: given.private_key.map(|key| PrivateKey::new(key.into())),
        agent: given.agent.map(Into::into),
        connect_timeout: ms(given.connect_timeout),
        linger: ms(given.linger),
        server_alive_interval: ms(given.server_alive_interval),
        server_alive_count: given.server_alive_count,
        channel_limit: given.channel_limit as usize,
        queue_timeout: ms(given.queue_timeout),
    })
}

/// Ends the connections through ssh; for the end of the process.
#[napi]
pub fn end_ssh() {
    close_ssh();
}
