//! The server's side of the opening handshake: which requests become WebSockets.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::SERVER_HEADER;

/// A request to open a WebSocket, as an HTTP parser understood it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The method, `GET` in a proper request.
    pub method: String,
    /// Path and query, as on the request line.
    pub target: String,
    /// Names and values in order.
    pub headers: Vec<(String, String)>,
    /// The peer's address for people and logs, if it is known.
    pub remote_address: Option<String>,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

/// Whose web pages may open a session. Requests without an `Origin` header do not come from a
/// web page and always pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's.
    Any,
    /// Only pages from the host and port that the request is for.
    #[default]
    Same,
    /// Only pages from these origins, such as `https://example.org`.
    List(Vec<String>),
}

/// A request that does not become a WebSocket, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Stable name for programs, listed in docs/errors.md.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// Nothing is served at this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "DEW_NOT_FOUND", "nothing is served at this path")
    }

    /// The server is being closed.
    #[must_use]
    pub fn closing() -> Self {
        Self::new(503, "DEW_SERVER_CLOSED", "the server is being closed")
    }

    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "DEW_BAD_HANDSHAKE", message)
    }

    /// The headers of the response, besides its length.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, &'static str)> {
        let mut headers =
            vec![("content-type", "text/plain; charset=utf-8"), ("connection", "close")];
        if self.status == 426 {
            headers.extend([("upgrade", "websocket"), ("sec-websocket-version", "13")]);
        }
        headers
    }

    /// The body of the response.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}: {}\n", self.code, self.message)
    }

    /// The whole response, to be written before the connection is closed.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        let body = self.body();
        let mut text = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in self.headers() {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        text.into_bytes()
    }
}

impl Handshake {
    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query, without its `?`; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// Whether one of the comma-separated words of a header is `token`.
    fn has_token(&self, name: &str, token: &str) -> bool {
        self.headers
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .flat_map(|(_, value)| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(token))
    }

    /// Why this request does not become a WebSocket, if it does not (RFC 6455, section 4.2.1).
    #[must_use]
    pub fn refusal(&self, origins: &Origins) -> Option<Refusal> {
        if !self.has_token("upgrade", "websocket") || !self.has_token("connection", "upgrade") {
            let message = "this path serves WebSockets: connect with a WebSocket client";
            return Some(Refusal::new(426, "DEW_UPGRADE_REQUIRED", message));
        }
        if self.method != "GET" {
            let message =
                format!("a WebSocket is opened with GET, not {}", printable(&self.method));
            return Some(Refusal::new(405, "DEW_BAD_HANDSHAKE", message));
        }
        match self.header("sec-websocket-version") {
            Some("13") => {}
            _ => {
                let message = "only version 13 of the WebSocket protocol is spoken here";
                return Some(Refusal::new(426, "DEW_BAD_HANDSHAKE", message));
            }
        }
        if !self.header("sec-websocket-key").is_some_and(is_key) {
            return Some(Refusal::bad("the header Sec-WebSocket-Key must hold 16 bytes in base64"));
        }
        let protocol = self.header("sec-websocket-protocol");
        if protocol.is_some_and(|offered| !is_token(first_word(offered))) {
            return Some(Refusal::bad("the header Sec-WebSocket-Protocol is malformed"));
        }
        if !self.is_allowed_origin(origins) {
            let origin = printable(self.header("origin").unwrap_or_default());
            let message = format!("pages of {origin} may not connect: see the server's `origins`");
            return Some(Refusal::new(403, "DEW_ORIGIN_REFUSED", message));
        }
        None
    }

    fn is_allowed_origin(&self, origins: &Origins) -> bool {
        let Some(origin) = self.header("origin") else {
            return true;
        };
        match origins {
            Origins::Any => true,
            Origins::List(list) => list.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
            Origins::Same => {
                let scheme = if self.secure { "https" } else { "http" };
                let own = self.header("host").map(|host| format!("{scheme}://{host}"));
                own.is_some_and(|own| own.eq_ignore_ascii_case(origin))
            }
        }
    }

    /// The headers of the response that opens the WebSocket. Of the subprotocols that were
    /// offered the first is accepted, as the packages of version 3.0.0 do: clients that offer
    /// one insist on an answer.
    #[must_use]
    pub fn acceptance(&self) -> Vec<(&'static str, String)> {
        let key = self.header("sec-websocket-key").unwrap_or_default();
        let mut headers = vec![
            ("upgrade", "websocket".to_owned()),
            ("connection", "Upgrade".to_owned()),
            ("sec-websocket-accept", derive_accept_key(key.as_bytes())),
            (SERVER_HEADER, "1".to_owned()),
        ];
        if let Some(offered) = self.header("sec-websocket-protocol") {
            headers.push(("sec-websocket-protocol", first_word(offered).to_owned()));
        }
        headers
    }

    /// The whole response that opens the WebSocket.
    #[must_use]
    pub fn acceptance_http(&self) -> Vec<u8> {
        let mut text = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
        for (name, value) in self.acceptance() {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn first_word(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

/// Whether `word` is a token of RFC 9110, section 5.6.2.
fn is_token(word: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(allowed)
}

/// Whether `key` is 16 bytes in base64: 22 characters and two signs of padding.
fn is_key(key: &str) -> bool {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() == 24 && key.ends_with("==") && key.bytes().take(22).all(alphabet)
}

/// Text of a peer's, safe to be shown: cut short, control characters escaped.
fn printable(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(change: &[(&str, Option<&str>)]) -> Handshake {
        let mut headers = vec![
            ("Host".to_owned(), "box:8080".to_owned()),
            ("Upgrade".to_owned(), "WebSocket".to_owned()),
            ("Connection".to_owned(), "keep-alive, Upgrade".to_owned()),
            ("Sec-WebSocket-Version".to_owned(), "13".to_owned()),
            ("Sec-WebSocket-Key".to_owned(), "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
        ];
        for (name, value) in change {
            headers.retain(|(given, _)| given != name);
            headers.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        }
        Handshake { method: "GET".into(), target: "/a?b=1".into(), headers, ..Handshake::default() }
    }

    fn status(change: &[(&str, Option<&str>)], origins: &Origins) -> Option<u16> {
        handshake(change).refusal(origins).map(|refusal| refusal.status)
    }

    #[test]
    fn the_answer_to_the_sample_key_is_that_of_the_standard() {
        let text = String::from_utf8(handshake(&[]).acceptance_http()).unwrap();
        assert!(text.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    }

    #[test]
    fn each_broken_handshake_has_its_status() {
        assert_eq!(status(&[], &Origins::Any), None);
        assert_eq!(status(&[("Upgrade", None)], &Origins::Any), Some(426));
        assert_eq!(status(&[("Connection", Some("close"))], &Origins::Any), Some(426));
        assert_eq!(status(&[("Sec-WebSocket-Version", Some("8"))], &Origins::Any), Some(426));
        assert_eq!(status(&[("Sec-WebSocket-Key", None)], &Origins::Any), Some(400));
        assert_eq!(status(&[("Sec-WebSocket-Key", Some("short"))], &Origins::Any), Some(400));
        assert_eq!(status(&[("Sec-WebSocket-Protocol", Some("a b"))], &Origins::Any), Some(400));
        let post = Handshake { method: "POST".into(), ..handshake(&[]) };
        assert_eq!(post.refusal(&Origins::Any).map(|refusal| refusal.status), Some(405));
    }

    #[test]
    fn s1_s2_s4_pages_of_another_origin_are_refused() {
        let from = |origin| status(&[("Origin", origin)], &Origins::Same);
        assert_eq!(from(None), None);
        assert_eq!(from(Some("http://box:8080")), None);
        assert_eq!(from(Some("http://box:8081")), Some(403));
        assert_eq!(from(Some("https://box:8080")), Some(403));
        assert_eq!(from(Some("null")), Some(403));
        let list = Origins::List(vec!["https://a.example".into()]);
        assert_eq!(status(&[("Origin", Some("https://a.example"))], &list), None);
        assert_eq!(status(&[("Origin", Some("http://box:8080"))], &list), Some(403));
        assert_eq!(status(&[("Origin", Some("null"))], &Origins::Any), None);
    }

    #[test]
    fn only_the_first_offered_subprotocol_is_accepted() {
        let accepted = handshake(&[("Sec-WebSocket-Protocol", Some("one, two"))]).acceptance();
        assert!(accepted.contains(&("sec-websocket-protocol", "one".to_owned())));
    }

    #[test]
    fn a_refusal_is_a_whole_response_without_control_characters() {
        let refusal = handshake(&[("Origin", Some("a\x1b[2Jb"))]).refusal(&Origins::Same).unwrap();
        let text = String::from_utf8(refusal.to_http()).unwrap();
        assert!(text.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}
