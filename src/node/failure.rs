//! Errors on their way to JavaScript: a code, a text, and what caused them.

use napi::{Env, JsError, JsValue, Unknown};
use napi_derive::napi;

/// An error as data: `lib/errors.js` makes an `Error` of it.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct NativeFailure {
    /// `DEW_…`, as listed in docs/errors.md.
    pub code: &'static str,
    /// What failed, with what, and what to do.
    pub message: String,
    /// The reasons behind it, the nearest first.
    pub causes: Vec<String>,
}

/// What the addon itself fails with, beside the errors of the layers below.
const INTERNAL: &str = "DEW_INTERNAL";

/// A status of napi that carries our code.
pub struct Code(&'static str);

impl Code {
    /// An error that no caller can do anything about.
    pub(super) fn reason(text: &str) -> napi::Error<Self> {
        napi::Error::new(Self(INTERNAL), text)
    }

    /// One of napi's own errors.
    pub(super) fn wrap(error: napi::Error) -> napi::Error<Self> {
        Self::reason(&error.reason)
    }
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl NativeFailure {
    /// Takes `error` apart; its sources become the causes.
    pub(super) fn new(code: &'static str, error: &dyn std::error::Error) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { code, message: error.to_string(), causes }
    }

    /// The same as something to throw at once.
    pub(super) fn thrown(self) -> napi::Error<Code> {
        napi::Error::new(Code(self.code), self.message)
    }

    /// The same as what a promise of `env` rejects with: an `Error` with `code` and `cause`.
    pub(super) fn rejection(self, env: Env) -> napi::Error {
        let causes = self.causes.join(": ");
        let error = JsError::from(self.thrown()).into_unknown(env);
        match with_cause(error, causes) {
            Ok(error) => napi::Error::from(error),
            Err(failed) => failed,
        }
    }
}

fn with_cause(error: Unknown<'_>, causes: String) -> napi::Result<Unknown<'_>> {
    let mut object = error.coerce_to_object()?;
    if !causes.is_empty() {
        object.set("cause", causes)?;
    }
    Ok(object.to_unknown())
}
