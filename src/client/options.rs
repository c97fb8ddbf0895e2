//! What a caller of [`super::Client`] sets.

use std::time::Duration;

use crate::{
    protocol::ExecRequest,
    transport::{ConnectOptions, KeepAlive, TlsOptions},
};

/// Settings of one client. See [`ClientOptions::new`] for defaults.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The server's URL, `ws:`, `wss:` or `ws+unix:`. A query that it has is kept; the command
    /// goes behind it.
    pub url: String,
    /// Whether the command gets a terminal; default `true`.
    pub tty: bool,
    /// The command and its arguments; default `sh`.
    pub command: Vec<String>,
    /// The terminal's first size as (rows, cols); default the engine's.
    pub size: Option<(u16, u16)>,
    /// Headers to send with the handshake; default none.
    pub headers: Vec<(String, String)>,
    /// For `wss:`; default the certificates that browsers trust.
    pub tls: TlsOptions,
    /// From looking up the host to the open WebSocket; default 10 s.
    pub connect_timeout: Duration,
    /// The largest message to take; default 100 MiB, as the packages of version 3.0.0.
    pub max_message_size: usize,
    /// Bytes of output that may wait to be read, for stdout and stderr each; default 1 MiB. One
    /// message may go beyond it.
    pub output_limit: usize,
    /// Bytes of input that may wait to be sent; default 1 MiB.
    pub input_limit: usize,
    /// When to ping a silent server and when to give it up; default 30 s and 30 s.
    pub keep_alive: KeepAlive,
    /// How long the server may take to read what was written before a close, and then to answer it;
    /// default 5 s.
    pub close_timeout: Duration,
}

impl ClientOptions {
    /// The defaults, for this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tty: true,
            command: vec!["sh".to_owned()],
            size: None,
            headers: Vec::new(),
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(10),
            max_message_size: 100 << 20,
            output_limit: 1 << 20,
            input_limit: 1 << 20,
            keep_alive: KeepAlive::default(),
            close_timeout: Duration::from_secs(5),
        }
    }

    /// The URL that is connected to: the given one with the request in its query.
    #[must_use]
    pub fn request_url(&self) -> String {
        let command = self.command.clone();
        let request = ExecRequest { command, tty: self.tty, size: self.size.filter(|_| self.tty) };
        let url = self.url.split_once('#').map_or(self.url.as_str(), |(before, _)| before);
        let joint = match url.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) if url.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{url}{joint}{}", request.to_query())
    }

    pub(super) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            url: self.request_url(),
            headers: self.headers.clone(),
            tls: self.tls.clone(),
            timeout: self.connect_timeout,
            max_message_size: self.max_message_size,
            keep_alive: self.keep_alive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_own_query() {
        let joined = |url: &str| {
            ClientOptions { command: vec!["ls".into(), "-l".into()], ..ClientOptions::new(url) }
                .request_url()
        };
        let asked = "tty=true&command=ls&command=-l";
        assert_eq!(joined("ws://h/p"), format!("ws://h/p?{asked}"));
        assert_eq!(joined("ws://h/p?token=1"), format!("ws://h/p?token=1&{asked}"));
        assert_eq!(joined("ws://h/p?"), format!("ws://h/p?{asked}"));
        assert_eq!(joined("ws://h/p?a=1&#x"), format!("ws://h/p?a=1&{asked}"));
    }

    #[test]
    fn the_size_is_asked_for_only_with_a_terminal() {
        let mut options = ClientOptions { size: Some((24, 80)), ..ClientOptions::new("ws://h/p") };
        assert!(options.request_url().ends_with("&rows=24&cols=80"));
        options.tty = false;
        assert!(options.request_url().ends_with("command=sh"));
    }
}
