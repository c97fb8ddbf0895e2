//! The head of an answer of HTTP/1.1: the same strictness wherever an answer is read by us.

use super::framing::Framing;

/// What every answer begins with. Whoever says something else may go on to say nothing.
const BEGINNING: &[u8] = b"HTTP/1.";
/// Bytes of a head.
pub(super) const MAX_HEAD: usize = 400 * 1024;
/// Headers of an answer.
pub(super) const MAX_HEADERS: usize = 100;

/// What a head says.
pub(super) struct ResponseHead<'a> {
    pub(super) status: u16,
    pub(super) reason: &'a str,
    pub(super) headers: &'a [httparse::Header<'a>],
    pub(super) framing: Framing,
}

impl ResponseHead<'_> {
    /// Whether no body follows, whatever the headers say.
    pub(super) fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }
}

/// Takes the first head out of `bytes`, if it is there as a whole; it did not end within the first
/// `seen` of them.
pub(super) fn take_head(bytes: &mut Vec<u8>, seen: usize) -> Result<Option<Vec<u8>>, &'static str> {
    if bytes.iter().zip(BEGINNING).any(|(is, must)| is != must) {
        return Err("the version is not that of HTTP");
    }
    let end = head_end(bytes, seen);
    if end.unwrap_or(bytes.len()) > MAX_HEAD {
        return Err("the head is too long");
    }
    Ok(end.map(|end| {
        let rest = bytes.split_off(end);
        std::mem::replace(bytes, rest)
    }))
}

/// What `head` says, as `with` sees it; `None` for an interim answer, behind which the next head comes.
pub(super) fn parse<T>(
    head: &[u8],
    with: impl FnOnce(ResponseHead<'_>) -> T,
) -> Result<Option<T>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err("the head is not one"),
        Err(error) => return Err(reason(error)),
    }
    let (status, version) = (response.code.unwrap_or(0), response.version.unwrap_or(0));
    let framing = Framing::of(response.headers, version)?;
    match status {
        101 => return Err("an upgrade that was not asked for"),
        100..200 => return Ok(None),
        200.. => {}
        _ => return Err("the status is none"),
    }
    let (reason, headers) = (response.reason.unwrap_or_default(), &*response.headers);
    Ok(Some(with(ResponseHead { status, reason, headers, framing })))
}

/// Where the first head in `bytes` ends, if it does; it did not within the first `seen` of them.
fn head_end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    let lines = bytes[from..].iter().enumerate().filter(|&(_, &byte)| byte == b'\n');
    lines.map(|(at, _)| from + at + 1).find_map(|next| match bytes[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

fn reason(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a header's name is none",
        httparse::Error::HeaderValue => "a header's value is none",
        httparse::Error::NewLine => "a line does not end",
        httparse::Error::Status => "the status is none",
        httparse::Error::Token => "the words behind the status are none",
        httparse::Error::TooManyHeaders => "there are too many headers",
        httparse::Error::Version => "the version is not that of HTTP",
    }
}
