//! Requests as they are sent: for hyper, or as a text.

use std::fmt::Write as _;

use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::{Method, Request, Uri};

use super::idle::Idle;
use super::{Body, EngineRequest, RequestBody, RequestError};
use crate::engine::hijack::host_header;
use crate::engine::host::EngineHost;

/// Headers that decide about the connection, or about where a message ends.
const NOT_HERE: [HeaderName; 6] =
    [CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING, UPGRADE];

/// A request without its body, which can be sent only once.
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: &'a [(String, String)],
}

impl<'a> From<&'a EngineRequest> for Head<'a> {
    fn from(EngineRequest { method, target, headers, .. }: &'a EngineRequest) -> Self {
        Self { method, target, headers }
    }
}

impl Head<'_> {
    /// For hyper.
    pub(super) fn request(
        &self,
        host: &EngineHost,
        body: RequestBody,
        idle: &Idle,
    ) -> Result<Request<Body>, RequestError> {
        let invalid = |what: String| RequestError::Invalid { what };
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| invalid(format!("{:?} is no method", self.method)))?;
        // The name is not looked up: all requests go to the engine's host.
        let uri = Some(self.target)
            .filter(|target| target.starts_with('/'))
            .and_then(|target| format!("http://engine{target}").parse::<Uri>().ok())
            .ok_or_else(|| invalid(format!("{:?} is no path", self.target)))?;
        let mut request = Request::new(outgoing(body, idle));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        for (name, value) in self.headers {
            let (name, value) = match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                (Ok(known), Ok(value)) => (known, value),
                _ => {
                    return Err(invalid(format!(
                        "header {name:?} has characters that none may have"
                    )));
                }
            };
            headers.append(name, value);
        }
        if !headers.contains_key(HOST)
            && let Ok(name) = HeaderValue::from_str(&host_header(host))
        {
            headers.insert(HOST, name);
        }
        Ok(request)
    }

    /// The text to write ahead of a body of `length` bytes, or without one.
    ///
    /// # Errors
    ///
    /// `Invalid` for what cannot be sent in this way, or in no way.
    pub(super) fn text(
        &self,
        host: &EngineHost,
        length: Option<usize>,
    ) -> Result<String, RequestError> {
        let request = self.request(host, RequestBody::Empty, &Idle::new(None))?;
        if let Some(name) = NOT_HERE.iter().find(|&name| request.headers().contains_key(name)) {
            return Err(RequestError::Invalid { what: format!("{name} is not for the caller") });
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let mut text = format!("{} {target} HTTP/1.1\r\n", request.method());
        for (name, value) in request.headers() {
            let value = value.to_str().map_err(|_| RequestError::Invalid {
                what: format!("header {name} has characters that none may have"),
            })?;
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if let Some(length) = length {
            let _ = write!(text, "{CONTENT_LENGTH}: {length}\r\n");
        }
        text.push_str("\r\n");
        Ok(text)
    }
}

fn outgoing(body: RequestBody, idle: &Idle) -> Body {
    let never = |never: std::convert::Infallible| match never {};
    match body {
        RequestBody::Empty => Empty::new().map_err(never).boxed_unsync(),
        RequestBody::Bytes(bytes) => Full::new(bytes).map_err(never).boxed_unsync(),
        RequestBody::Stream(stream) => {
            let idle = idle.clone();
            let frames = stream.map(move |chunk| {
                idle.touch();
                chunk.map(Frame::data)
            });
            BodyExt::boxed_unsync(StreamBody::new(frames))
        }
    }
}
