//! gRPC as far as a build's session needs it: framed messages on HTTP/2, and a status behind them.

use std::convert::Infallible;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::message::Malformed;

/// The longest message that is taken. Those of a builder are far shorter: 32 KiB of an agent's
/// bytes are the longest.
const MAX_MESSAGE: usize = 1024 * 1024;
/// What is in front of a message: whether it is compressed, and its length.
const HEADER: usize = 5;

/// An answer on its way to the builder.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Why a call has no result, as the builder is told. Never has a secret in it.
#[derive(Debug)]
pub(super) struct Refusal {
    code: u16,
    text: String,
}

impl Refusal {
    /// What was asked for does not exist here.
    pub(super) fn not_found(text: String) -> Self {
        Self { code: 5, text }
    }

    /// There is no such call.
    pub(super) fn unimplemented(text: String) -> Self {
        Self { code: 12, text }
    }

    /// The call could not be carried out.
    pub(super) fn unavailable(text: String) -> Self {
        Self { code: 14, text }
    }

    /// What came is no call.
    fn invalid(text: &str) -> Self {
        Self { code: 3, text: text.to_owned() }
    }

    fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", self.code.into());
        if !self.text.is_empty()
            && let Ok(text) = HeaderValue::from_str(&percent_encoded(&self.text))
        {
            trailers.insert("grpc-message", text);
        }
        trailers
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::invalid("the message cannot be read")
    }
}

/// Printable ASCII as it is, other bytes by their numbers.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..0x20 | 0x7f.. => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// The messages of a call, one after the other.
pub(super) struct Messages {
    body: Incoming,
    rest: BytesMut,
}

impl Messages {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, rest: BytesMut::new() }
    }

    /// The next one; `None` after the last, or when the builder has gone.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if let Some(message) = split(&mut self.rest)? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.rest.extend_from_slice(&bytes);
                    }
                }
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    /// The only one.
    pub(super) async fn one(mut self) -> Result<Bytes, Refusal> {
        let message = self.next().await?;
        message.ok_or_else(|| Refusal::invalid("the call has no message"))
    }
}

/// Takes a message off the front, if one is there as a whole.
fn split(rest: &mut BytesMut) -> Result<Option<Bytes>, Refusal> {
    let Some((&compressed, length)) =
        rest.split_first_chunk::<1>().map(|([flag], rest)| (flag, rest))
    else {
        return Ok(None);
    };
    let Some(length) = length.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if compressed != 0 {
        return Err(Refusal::unimplemented("compressed messages are not read".to_owned()));
    }
    if length > MAX_MESSAGE {
        return Err(Refusal::invalid("the message is too long"));
    }
    if rest.len() - HEADER < length {
        return Ok(None);
    }
    rest.advance(HEADER);
    Ok(Some(rest.split_to(length).freeze()))
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER + message.len());
    bytes.put_u8(0);
    // Messages are far shorter than 4 GiB.
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}

/// The answer to a call that has one result.
pub(super) fn single(result: Result<Vec<u8>, Refusal>) -> Answer {
    let message = result.map(Bytes::from);
    answer(stream::once(async { message }))
}

/// The answer to a call that has many, as they come; it ends with the first refusal.
pub(super) fn answer(
    results: impl Stream<Item = Result<Bytes, Refusal>> + Send + 'static,
) -> Answer {
    let fine = || Refusal { code: 0, text: String::new() };
    let frames = stream::unfold(Some(Box::pin(results)), move |results| async move {
        let mut results = results?;
        let (frame, rest) = match futures_util::StreamExt::next(&mut results).await {
            Some(Ok(message)) => (Frame::data(framed(&message)), Some(results)),
            Some(Err(refusal)) => (Frame::trailers(refusal.trailers()), None),
            None => (Frame::trailers(fine().trailers()), None),
        };
        Some((Ok::<_, Infallible>(frame), rest))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_split_wherever_the_pieces_end() {
        let wire = [framed(b"one"), framed(b""), framed(&[7; 300])].concat();
        for piece in [1, 2, 5, 7, wire.len()] {
            let (mut rest, mut found) = (BytesMut::new(), Vec::new());
            for bytes in wire.chunks(piece) {
                rest.extend_from_slice(bytes);
                while let Some(message) = split(&mut rest).unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [&b"one"[..], b"", &[7; 300]]);
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_compressed_or_too_long_is_refused() {
        assert_eq!(split(&mut BytesMut::from(&b"\x01\0\0\0\x01a"[..])).unwrap_err().code, 12);
        assert_eq!(split(&mut BytesMut::from(&b"\0\xff\0\0\0"[..])).unwrap_err().code, 3);
    }

    #[test]
    fn the_text_of_a_refusal_fits_into_a_header() {
        assert_eq!(percent_encoded("100% \u{e9}\n"), "100%25 %C3%A9%0A");
        let trailers = Refusal::not_found("no \"\u{e9}\"".to_owned()).trailers();
        assert_eq!(trailers["grpc-status"], "5");
        assert_eq!(trailers["grpc-message"], "no \"%C3%A9\"");
    }
}
