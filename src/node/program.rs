//! The command line, for `bin/dew.js`.

use std::ffi::OsString;

use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use super::settle::settle;

/// Runs the command line `dew` with `args` (without the program's name); resolves to the exit
/// status. It reads and writes this process's own standard streams.
#[napi(ts_return_type = "Promise<number>")]
pub fn cli(env: &Env, args: Vec<String>) -> napi::Result<Object<'_>> {
    let args = std::iter::once("dew".to_owned()).chain(args).map(OsString::from).collect();
    settle(env, async move { Ok(crate::cli::run(args).await) }, |status| status)
}
