//! What the headers of an answer say of its end, and of the connection. What may be read in more than
//! one way is refused.

use std::str::from_utf8;

/// What the headers say of the body, and of the connection.
#[derive(Default)]
pub(super) struct Framing {
    pub(super) chunked: bool,
    pub(super) length: Option<u64>,
    pub(super) keeps: bool,
    pub(super) location: Option<String>,
}

impl Framing {
    /// `version` is the minor one.
    pub(super) fn of(headers: &[httparse::Header<'_>], version: u8) -> Result<Self, &'static str> {
        let mut framing = Self { keeps: version == 1, ..Self::default() };
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let value = header.value.trim_ascii();
            if is("content-length") {
                let length = number(value).ok_or("the length is no number")?;
                if framing.length.replace(length).is_some_and(|before| before != length) {
                    return Err("there are two lengths");
                }
            } else if is("transfer-encoding") {
                if framing.chunked || version == 0 || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err("the transfer encoding is not `chunked`");
                }
                framing.chunked = true;
            } else if is("connection") {
                let mut words = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
                framing.keeps = match version {
                    1 => framing.keeps && !words.any(|word| word.eq_ignore_ascii_case(b"close")),
                    _ => words.any(|word| word.eq_ignore_ascii_case(b"keep-alive")),
                };
            } else if is("location") {
                framing.location = Some(value.iter().copied().map(char::from).collect());
            }
        }
        if framing.chunked && framing.length.is_some() {
            return Err("there are a length and chunks");
        }
        Ok(framing)
    }
}

/// Digits, and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
    from_utf8(digits).ok()?.parse().ok()
}
