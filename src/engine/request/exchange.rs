//! Requests and answers, one after the other, on a connection that somebody else writes and reads.
//!
//! A small call costs less than a thread that is woken for it. Who has a connection in an event loop
//! of its own, as JavaScript does, asks here for what to write, and hands over what was read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{AnswerReader, Flaw, WholeAnswer};
use super::error::RequestError;
use super::outgoing::Head;
use crate::engine::host::EngineHost;

/// One connection's part of HTTP. Does no I/O.
pub struct Exchange {
    host: Arc<EngineHost>,
    reader: AnswerReader,
    limit: usize,
}

impl Exchange {
    pub(super) fn new(host: Arc<EngineHost>, limit: usize) -> Self {
        Self { host, reader: AnswerReader::new("", limit), limit }
    }

    /// What to write ahead of a body of `length` bytes, or without one. What was before is over.
    ///
    /// # Errors
    ///
    /// `Invalid` for what cannot be sent in this way, or in no way.
    pub fn begin(
        &mut self,
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        length: Option<usize>,
    ) -> Result<String, RequestError> {
        let head = Head { method: &method, target: &target, headers: &headers };
        let text = head.text(&self.host, length)?;
        self.reader = AnswerReader::new(head.method, self.limit);
        Ok(text)
    }

    /// Takes what was read; the answer, once it is complete.
    ///
    /// # Errors
    ///
    /// `Protocol` or `AnswerLimit`; the connection is of no use then.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<WholeAnswer>, RequestError> {
        self.reader.take(bytes).map_err(|flaw| match flaw {
            Flaw::TooLong(limit) => RequestError::AnswerLimit { limit },
            Flaw::Unreadable(why) => RequestError::unreadable(&self.host, why),
        })
    }

    /// The connection has ended: some answers are complete then.
    ///
    /// # Errors
    ///
    /// `Lost` if this one is not.
    pub fn end(&mut self) -> Result<WholeAnswer, RequestError> {
        self.reader.end().ok_or_else(|| RequestError::cut_short(&self.host))
    }

    /// Whether the head of the answer is there.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.reader.has_head()
    }

    /// The error for a connection that broke by `source`.
    #[must_use]
    pub fn lost(&self, source: io::Error) -> RequestError {
        RequestError::lost(&self.host, source)
    }

    /// The error for an engine that was silent for `after`.
    #[must_use]
    pub fn silent(&self, after: Duration) -> RequestError {
        RequestError::IdleTimeout { host: (*self.host).clone(), after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<String, RequestError> {
        let mut exchange = Exchange::new(Arc::new("unix:///x".parse().unwrap()), 1024);
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let headers = headers.iter().map(owned).collect();
        exchange.begin(method.to_owned(), target.to_owned(), headers, Some(2))
    }

    #[test]
    fn a_request_is_written_as_it_was_worded() {
        assert_eq!(
            begin("POST", "/a%20b?c=d%26", &[("X-Own", "1"), ("X-Own", "2")]).unwrap(),
            "POST /a%20b?c=d%26 HTTP/1.1\r\nx-own: 1\r\nx-own: 2\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n"
        );
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_request() {
        for (method, target, header) in [
            ("GET /x HTTP/1.1\r\n", "/", ("a", "b")),
            ("GET", "/ HTTP/1.1\r\n", ("a", "b")),
            ("GET", "no-slash", ("a", "b")),
            ("GET", "/", ("a", "b\r\nc: d")),
            ("GET", "/", ("a\r\nb", "c")),
            ("GET", "/", ("Content-Length", "100")),
            ("GET", "/", ("Transfer-Encoding", "chunked")),
            ("GET", "/", ("Connection", "Upgrade")),
        ] {
            let error = begin(method, target, &[header]).unwrap_err();
            assert_eq!(error.code(), "DEW_REQUEST_INVALID", "{method} {target} {header:?}");
        }
    }
}
