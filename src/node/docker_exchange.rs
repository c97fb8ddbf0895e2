//! Small calls for `lib/docker/calls.js`: HTTP over sockets of Node's own.

use std::{io, time::Duration};

use napi::bindgen_prelude::{Buffer, BufferSlice};
use napi_derive::napi;

use super::{
    docker::{NativeRequests, pairs},
    docker_answer::ANSWER_LIMIT,
    failure::NativeFailure,
};
use crate::engine::{Exchange, RequestError, WholeAnswer};

/// Longer bodies are given as bytes, shorter ones as text where they are some.
const TEXT: usize = 64 * 1024;

/// What became of a call.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct NativeOutcome {
    /// The HTTP status, if there is an answer.
    pub status: Option<u16>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body, if it is short and UTF-8.
    pub text: Option<String>,
    /// The body otherwise.
    pub body: Option<Buffer>,
    /// Whether the connection can be used again.
    pub reusable: bool,
    /// Why there is no answer.
    pub error: Option<NativeFailure>,
    /// The system's number for that error, if it has one.
    pub errno: Option<i32>,
}

impl From<Result<WholeAnswer, RequestError>> for NativeOutcome {
    fn from(outcome: Result<WholeAnswer, RequestError>) -> Self {
        match outcome {
            Ok(answer) => {
                let (text, body) = text_or_bytes(answer.body);
                Self {
                    status: Some(answer.status),
                    location: answer.location,
                    text,
                    body,
                    reusable: answer.reusable,
                    ..Self::default()
                }
            }
            Err(error) => Self {
                error: Some(NativeFailure::new(error.code(), &error)),
                errno: error.system_error(),
                ..Self::default()
            },
        }
    }
}

fn text_or_bytes(body: Vec<u8>) -> (Option<String>, Option<Buffer>) {
    if body.len() > TEXT {
        return (None, Some(Buffer::from(body)));
    }
    match String::from_utf8(body) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(Buffer::from(error.into_bytes()))),
    }
}

/// What is said on one connection, call by call. Does no I/O.
#[napi]
pub struct NativeExchange {
    exchange: Exchange,
}

#[napi]
impl NativeExchange {
    /// For a connection to the engine of `requests`.
    #[napi(constructor)]
    pub fn new(requests: &NativeRequests) -> Self {
        Self { exchange: requests.requests().exchange(ANSWER_LIMIT) }
    }

    /// What to write ahead of a body of `length` bytes; `null` if the request cannot be sent in this
    /// way. `headers` are names and values by turns.
    #[napi]
    pub fn begin(
        &mut self,
        method: String,
        target: String,
        headers: Vec<String>,
        length: Option<u32>,
    ) -> Option<String> {
        let length = length.and_then(|length| usize::try_from(length).ok());
        self.exchange.begin(method, target, pairs(headers), length).ok()
    }

    /// Takes the first `count` bytes of `slab`; `null` until the call is over.
    #[napi]
    pub fn take(&mut self, slab: BufferSlice<'_>, count: u32) -> Option<NativeOutcome> {
        let count = usize::try_from(count).map_or(slab.len(), |count| count.min(slab.len()));
        self.exchange.take(&slab[..count]).transpose().map(Into::into)
    }

    /// The connection has ended.
    #[napi]
    pub fn end(&mut self) -> NativeOutcome {
        self.exchange.end().into()
    }

    /// The connection broke, by the error of the system's with the number `errno`.
    #[napi]
    pub fn lost(&self, errno: i32) -> NativeOutcome {
        Err(self.exchange.lost(io::Error::from_raw_os_error(errno))).into()
    }

    /// The engine was silent for `ms`.
    #[napi]
    pub fn silent(&self, ms: u32) -> NativeOutcome {
        Err(self.exchange.silent(Duration::from_millis(ms.into()))).into()
    }

    /// Whether the head of the answer is there.
    #[napi]
    pub fn has_head(&self) -> bool {
        self.exchange.has_head()
    }
}
