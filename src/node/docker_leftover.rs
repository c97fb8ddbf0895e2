//! Ends commands that `lib/docker/leftover.js` has marked, with everything that they have started.

use std::time::Duration;

use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use super::{docker::NativeRequests, failure::NativeFailure, settle::settle};
use crate::engine::{Engine, EngineOptions, ExecTarget, MARKER_VARIABLE, Marker, ServerMark};

/// Between asking processes to end and ending them.
const GRACE: Duration = Duration::from_secs(2);

/// A command that nobody waits for any more.
#[napi(object, object_to_js = false)]
pub struct NativeLeftover {
    /// What `mark` gave for its environment.
    pub mark: String,
    /// The container, by its whole id if that is known.
    pub container: String,
    /// Its first process in the engine's pid namespace, if that is known.
    pub pid: Option<u32>,
    /// The user that it was to run as.
    pub user: Option<String>,
}

#[napi]
impl NativeRequests {
    /// What a command's environment must have for `endLeftover` to find it: `NAME=value`. None where
    /// that could not be used: within TLS.
    #[napi]
    pub fn mark(&self) -> Option<String> {
        self.plain_host()?;
        let marker = Marker::new(&ServerMark::current()).ok()?;
        Some(format!("{MARKER_VARIABLE}={marker}"))
    }

    /// Asks a command's processes to end, and ends them two seconds later. Resolves when that is done,
    /// as far as it could be.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn end_leftover<'env>(
        &self,
        env: &'env Env,
        leftover: NativeLeftover,
    ) -> napi::Result<Object<'env>> {
        let host = self.plain_host().cloned();
        let NativeLeftover { mark, container, pid, user } = leftover;
        let value = mark.split_once('=').map_or("", |(_, value)| value);
        let marker = value.parse::<Marker>();
        let end = async move {
            let (Some(host), Ok(marker)) = (host, marker) else { return Ok(()) };
            let target = ExecTarget { container, marker, pid, user };
            let engine = Engine::new(host, EngineOptions::default());
            let ended = engine.end_processes(&target, GRACE).await;
            ended.map(drop).map_err(|error| NativeFailure::new(error.code(), &error))
        };
        settle(env, end, |()| ())
    }
}
