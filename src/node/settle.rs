//! Promises for what runs on the addon's runtime.

use std::future::Future;

use napi::{Env, bindgen_prelude::*};

use super::{failure::NativeFailure, runtime::runtime};

/// Runs `work`; the promise resolves to what `into_js` makes of its outcome, or rejects with an
/// `Error` that carries our code.
///
/// Every promise of the addon is made here: a `#[napi] async fn` can only reject with napi's own
/// status names. A pending promise keeps the process alive.
pub(super) fn settle<'env, T, J>(
    env: &'env Env,
    work: impl Future<Output = std::result::Result<T, NativeFailure>> + Send + 'static,
    into_js: impl FnOnce(T) -> J + Send + 'static,
) -> napi::Result<Object<'env>>
where
    T: Send + 'static,
    J: ToNapiValue + 'static,
{
    let runtime = runtime()?;
    let (deferred, promise) = env.create_deferred()?;
    runtime.spawn(async move {
        let outcome = work.await;
        deferred.resolve(move |env: Env| {
            outcome.map(into_js).map_err(|failure| failure.rejection(env))
        });
    });
    Ok(promise)
}
