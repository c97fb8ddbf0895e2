//! Requests whose answer has a connection of its own, from which the body is read straight away.
//!
//! hyper reads on the runtime, chunk by chunk: another thread has to be woken for what comes, and the
//! bytes are copied once more. That is a third of the throughput of a log, and worse where its
//! lines are short.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::chunks::Chunks;
use super::error::RequestError;
use super::idle::Idle;
use super::link::plain;
use super::outgoing::Head;
use super::response_head::{ResponseHead, parse, take_head};
use super::socket_output::{Extent, SocketOutput};
use super::{Content, EngineRequest, EngineResponse, RequestBody, Requests};
use crate::engine::connect::Socket;
use crate::engine::host::EngineHost;

/// The longest body that is sent in this way: all of it, before the answer is looked at.
const MAX_BODY: usize = 64 * 1024;
/// Bytes that one read of a head asks for.
const READ_SIZE: usize = 16 * 1024;

/// What is written to the engine.
pub(super) struct Wording {
    text: String,
    body: Bytes,
}

/// The request as it is written, if it is one for a connection of its own.
pub(super) fn wording(host: &EngineHost, request: &EngineRequest) -> Option<Wording> {
    let body = match &request.body {
        RequestBody::Empty => None,
        RequestBody::Bytes(bytes) if bytes.len() <= MAX_BODY => Some(bytes.clone()),
        _ => return None,
    };
    // The answer to HEAD has no body, whatever its headers say.
    if request.method == "HEAD" {
        return None;
    }
    let text = Head::from(request).text(host, body.as_ref().map(Bytes::len)).ok()?;
    Some(Wording { text, body: body.unwrap_or_default() })
}

/// Sends it on a new connection; connecting may take `timeout`.
pub(super) async fn send(
    requests: &Requests,
    Wording { text, body }: Wording,
    timeout: Duration,
    idle: Idle,
) -> Result<EngineResponse, RequestError> {
    let host = &requests.host;
    let mut socket = plain(host, timeout, &requests.demand).await?;
    let sent = socket.write_all(&[text.as_bytes(), &body].concat()).await;
    // An engine that does not want all of a body may have said why.
    let (head, early) = match (read_head(host, &mut socket).await, sent) {
        (Ok(answer), _) => answer,
        (Err(_), Err(error)) => return Err(RequestError::lost(host, error)),
        (Err(error), Ok(())) => return Err(error),
    };
    let (read, write) = socket.into_split().map_err(|error| RequestError::lost(host, error))?;
    let ends = (read, Some(write));
    let body = SocketOutput::new(Arc::clone(host), ends, early.into(), head.extent, idle);
    Ok(EngineResponse {
        status: head.status,
        reason: head.reason,
        headers: head.headers,
        content: Content::Socket(Box::new(body)),
    })
}

/// An answer's head, and where its body ends.
struct AnswerHead {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    extent: Extent,
}

impl AnswerHead {
    fn new(head: ResponseHead<'_>) -> Self {
        let text = |value: &[u8]| value.iter().copied().map(char::from).collect::<String>();
        let reason = match head.reason {
            "" => StatusCode::from_u16(head.status).ok().and_then(|code| code.canonical_reason()),
            reason => Some(reason),
        };
        let headers = head.headers.iter();
        Self {
            status: head.status,
            reason: reason.unwrap_or_default().to_owned(),
            headers: headers.map(|one| (one.name.to_owned(), text(one.value))).collect(),
            extent: match head.framing.length {
                _ if head.is_bodiless() => Extent::Complete,
                _ if head.framing.chunked => Extent::Chunks(Chunks::default()),
                Some(0) => Extent::Complete,
                Some(length) => Extent::Length(length),
                None => Extent::Connection,
            },
        }
    }
}

/// Reads up to the end of the head; what follows was read with it.
async fn read_head(
    host: &EngineHost,
    socket: &mut Socket,
) -> Result<(AnswerHead, Vec<u8>), RequestError> {
    let unreadable = |why| RequestError::unreadable(host, why);
    let mut bytes = Vec::with_capacity(READ_SIZE);
    let mut seen = 0;
    loop {
        bytes.reserve(READ_SIZE);
        let read =
            socket.read_buf(&mut bytes).await.map_err(|error| RequestError::lost(host, error))?;
        if read == 0 {
            return Err(RequestError::cut_short(host));
        }
        while let Some(head) = take_head(&mut bytes, seen).map_err(unreadable)? {
            if let Some(head) = parse(&head, AnswerHead::new).map_err(unreadable)? {
                return Ok((head, bytes));
            }
            seen = 0;
        }
        seen = bytes.len();
    }
}
