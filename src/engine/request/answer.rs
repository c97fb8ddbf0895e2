//! One answer of HTTP/1.1, out of bytes that come in any pieces.
//!
//! Strict: if it were not sure where an answer ends, its rest would be taken for the next one. What
//! may be read in more than one way is refused.

use super::chunks::{Chunks, Part};
use super::framing::Framing;

/// What every answer begins with. Whoever says something else may go on to say nothing.
const BEGINNING: &[u8] = b"HTTP/1.";
/// Bytes of a head.
const MAX_HEAD: usize = 400 * 1024;
/// Headers of an answer.
const MAX_HEADERS: usize = 100;
/// What is set aside for a body at once, whatever its length is said to be.
const MAX_RESERVED: u64 = 64 * 1024;

/// An answer that is complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WholeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Whether the connection can be used for another request.
    pub reusable: bool,
}

/// Why bytes are no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They are not HTTP, or not surely.
    Unreadable(&'static str),
    /// The body is longer than this.
    TooLong(usize),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Head,
    /// So many bytes of a body.
    Length(u64),
    Chunks(Chunks),
    /// A body that ends with the connection.
    UntilEnd,
    Complete,
}

/// Reads one answer.
#[derive(Debug)]
pub(super) struct AnswerReader {
    stage: Stage,
    /// The head, as far as it is there.
    head: Vec<u8>,
    answer: WholeAnswer,
    /// Whether the request was one whose answer has no body.
    bodiless: bool,
    /// The longest body.
    limit: usize,
}

impl AnswerReader {
    /// For the answer to a request by `method`, with a body of at most `limit` bytes.
    pub(super) fn new(method: &str, limit: usize) -> Self {
        Self {
            stage: Stage::Head,
            head: Vec::new(),
            answer: WholeAnswer::default(),
            bodiless: method == "HEAD",
            limit,
        }
    }

    /// Whether the head is there.
    pub(super) fn has_head(&self) -> bool {
        self.stage != Stage::Head
    }

    /// Takes the next bytes; the answer, once it is complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<WholeAnswer>, Flaw> {
        if self.stage == Stage::Head {
            let seen = self.head.len();
            self.head.extend_from_slice(bytes);
            self.take_heads(seen)?;
        } else {
            self.take_body(bytes)?;
        }
        Ok((self.stage == Stage::Complete).then(|| std::mem::take(&mut self.answer)))
    }

    /// The connection has ended: that is the end of some answers.
    pub(super) fn end(&mut self) -> Option<WholeAnswer> {
        (self.stage == Stage::UntilEnd).then(|| {
            self.stage = Stage::Complete;
            std::mem::take(&mut self.answer)
        })
    }

    /// Looks for the end of a head behind what was `seen`; those of interim answers are skipped.
    fn take_heads(&mut self, mut seen: usize) -> Result<(), Flaw> {
        while self.stage == Stage::Head {
            if self.head.iter().zip(BEGINNING).any(|(is, must)| is != must) {
                return Err(Flaw::Unreadable("the version is not that of HTTP"));
            }
            let end = head_end(&self.head, seen);
            if end.unwrap_or(self.head.len()) > MAX_HEAD {
                return Err(Flaw::Unreadable("the head is too long"));
            }
            let Some(end) = end else { return Ok(()) };
            let rest = self.head.split_off(end);
            let head = std::mem::replace(&mut self.head, rest);
            self.parse(&head)?;
            seen = 0;
        }
        let body = std::mem::take(&mut self.head);
        self.take_body(&body)
    }

    fn parse(&mut self, head: &[u8]) -> Result<(), Flaw> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(head) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(Flaw::Unreadable("the head is not one")),
            Err(error) => return Err(Flaw::Unreadable(reason(error))),
        }
        let (status, version) = (response.code.unwrap_or(0), response.version.unwrap_or(0));
        let framing = Framing::of(response.headers, version).map_err(Flaw::Unreadable)?;
        match status {
            101 => return Err(Flaw::Unreadable("an upgrade that was not asked for")),
            100..200 => return Ok(()),
            200.. => {}
            _ => return Err(Flaw::Unreadable("the status is none")),
        }
        self.answer.status = status;
        self.answer.location = (300..400).contains(&status).then_some(framing.location).flatten();
        self.answer.reusable = framing.keeps;
        self.stage = if self.bodiless || matches!(status, 204 | 304) {
            Stage::Complete
        } else if framing.chunked {
            Stage::Chunks(Chunks::default())
        } else {
            self.length(framing.length)?
        };
        Ok(())
    }

    fn length(&mut self, length: Option<u64>) -> Result<Stage, Flaw> {
        let Some(length) = length else {
            self.answer.reusable = false;
            return Ok(Stage::UntilEnd);
        };
        if usize::try_from(length).map_or(true, |length| length > self.limit) {
            return Err(Flaw::TooLong(self.limit));
        }
        let reserved = usize::try_from(length.min(MAX_RESERVED)).unwrap_or(0);
        self.answer.body.reserve_exact(reserved);
        Ok(if length == 0 { Stage::Complete } else { Stage::Length(length) })
    }

    fn take_body(&mut self, mut bytes: &[u8]) -> Result<(), Flaw> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Length(left) => {
                    let (now, rest) = split(bytes, left);
                    self.push(now)?;
                    let left = left - now.len() as u64;
                    self.stage = if left == 0 { Stage::Complete } else { Stage::Length(left) };
                    rest
                }
                Stage::UntilEnd => {
                    self.push(bytes)?;
                    &[]
                }
                Stage::Chunks(ref mut chunks) => {
                    let (part, rest) = chunks.take(bytes).map_err(Flaw::Unreadable)?;
                    match part {
                        Part::Data(data) => self.push(data)?,
                        Part::Between => {}
                        Part::End => self.stage = Stage::Complete,
                    }
                    rest
                }
                Stage::Complete | Stage::Head => {
                    // More than was asked for: whose it is, nobody knows.
                    self.answer.reusable = false;
                    &[]
                }
            };
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        if bytes.len() > self.limit - self.answer.body.len() {
            return Err(Flaw::TooLong(self.limit));
        }
        self.answer.body.extend_from_slice(bytes);
        Ok(())
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len())))
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1024;

    /// What becomes of `text`, cut into pieces at `cuts`, and whether the connection then ends.
    fn read(method: &str, text: &[u8], cuts: &[usize]) -> Result<Option<WholeAnswer>, Flaw> {
        let mut reader = AnswerReader::new(method, LIMIT);
        let mut from = 0;
        for &cut in cuts.iter().chain([&text.len()]) {
            if let Some(answer) = reader.take(&text[from..cut])? {
                assert_eq!(cut, text.len(), "complete too early");
                return Ok(Some(answer));
            }
            from = cut;
        }
        Ok(reader.end())
    }

    fn answer(status: u16, body: &str, reusable: bool) -> WholeAnswer {
        WholeAnswer { status, location: None, body: body.into(), reusable }
    }

    fn unreadable(text: &str) -> &'static str {
        match read("GET", text.as_bytes(), &[]) {
            Err(Flaw::Unreadable(why)) => why,
            other => panic!("{text:?} was read as {other:?}"),
        }
    }

    const GOOD: &[(&str, u16, &str, bool)] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, "", true),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
            200,
            "{}",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
            200,
            "{}",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: y\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 1\r\n\r\n1",
            201,
            "1",
            true,
        ),
        (
            "HTTP/1.1 500 X\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
            500,
            "hello0123456789",
            true,
        ),
        (
            "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\nSum: 1\r\nOther: 2\r\n\r\n",
            200,
            "a",
            true,
        ),
    ];

    #[test]
    fn an_answer_is_the_same_however_it_is_cut() {
        for &(text, status, body, reusable) in GOOD {
            let bytes = text.as_bytes();
            let expected = Ok(Some(answer(status, body, reusable)));
            for cut in 0..bytes.len() {
                assert_eq!(read("GET", bytes, &[cut]), expected, "{text:?} cut at {cut}");
            }
            let every: Vec<usize> = (0..bytes.len()).collect();
            assert_eq!(read("GET", bytes, &every), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        for &(text, ..) in GOOD.iter().filter(|(text, ..)| !text.ends_with("to the end")) {
            for end in 0..text.len() {
                assert_eq!(
                    read("GET", &text.as_bytes()[..end], &[]),
                    Ok(None),
                    "{text:?} to {end}"
                );
            }
        }
    }

    #[test]
    fn the_answer_to_head_has_no_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(read("HEAD", text, &[]), Ok(Some(answer(200, "", true))));
    }

    #[test]
    fn what_comes_behind_an_answer_spoils_the_connection() {
        for (body, text) in [
            ("ab", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"),
            ("", "HTTP/1.1 204 OK\r\n\r\nHTTP/1.1 200 OK"),
            ("a", "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\r"),
        ] {
            let read = read("GET", text.as_bytes(), &[]).unwrap().unwrap();
            assert_eq!((read.body, read.reusable), (body.into(), false), "{text:?}");
        }
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_refused() {
        let head = |header: &str| unreadable(&format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n"));
        assert_eq!(head("Content-Length: 1\r\nContent-Length: 2"), "there are two lengths");
        assert_eq!(
            head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
            "there are a length and chunks"
        );
        for length in ["+1", "-1", "0x1", "1, 1", "1 1", "", "18446744073709551616"] {
            assert_eq!(head(&format!("Content-Length: {length}")), "the length is no number");
        }
        for encoding in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "chunked\r\nTransfer-Encoding: chunked",
        ] {
            let why = head(&format!("Transfer-Encoding: {encoding}"));
            assert_eq!(why, "the transfer encoding is not `chunked`");
        }
        assert_eq!(
            unreadable("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "the transfer encoding is not `chunked`"
        );
        assert_eq!(head("A: b\r\n folded"), "a header's name is none");
        assert_eq!(head("Content-Length : 1"), "a header's name is none");
        assert_eq!(
            unreadable("HTTP/1.1 101 X\r\nUpgrade: tcp\r\n\r\n"),
            "an upgrade that was not asked for"
        );
        for text in [
            "220 mail.example ESMTP\r\n",
            "2",
            "HTTP/2 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(unreadable(text), "the version is not that of HTTP", "{text:?}");
        }
    }

    #[test]
    fn chunks_are_taken_by_the_letter() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            ";x\r\n",
            "1\na\r\n",
            "1\rx",
            "1;x\na",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "0\r\n\n",
            "0\r\nA: b\n",
            "0\r\n\rx",
            "1000000000000000\r\n",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            assert_eq!(unreadable(&text), "a chunk is not one", "{body:?}");
        }
    }

    #[test]
    fn everything_has_a_limit() {
        let long = "x".repeat(MAX_HEAD);
        assert_eq!(unreadable(&format!("HTTP/1.1 200 OK\r\nA: {long}")), "the head is too long");
        assert_eq!(
            unreadable(&format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n")),
            "the head is too long"
        );
        let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(
            unreadable(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
            "there are too many headers"
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for between in [format!("1;{long}"), format!("0\r\nA: {long}")] {
            assert_eq!(
                unreadable(&format!("{chunked}{between}")),
                "too much stands between chunks"
            );
        }
        let body = "x".repeat(LIMIT + 1);
        for text in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LIMIT + 1),
            format!("{chunked}{:x}\r\n{body}", LIMIT + 1),
            format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
        ] {
            assert_eq!(read("GET", text.as_bytes(), &[]), Err(Flaw::TooLong(LIMIT)));
        }
    }

    #[test]
    fn a_redirect_says_where_to() {
        let text = "HTTP/1.1 301 X\r\nLocation: http://images/json\r\nContent-Length: 0\r\n\r\n";
        let read = read("GET", text.as_bytes(), &[]).unwrap().unwrap();
        assert_eq!(read.location.as_deref(), Some("http://images/json"));
    }
}
