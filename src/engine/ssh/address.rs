//! Which engine is behind which ssh server, and how the connection to it is made.
//!
//! What is said here ends up on the command line of `ssh`, and some of it on that of a shell
//! at the other end: only characters that mean nothing to either are let through.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::host::DEFAULT_SOCKET;

/// An engine whose unix socket is reached through an ssh server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SshHost {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    socket: String,
    options: SshOptions,
}

/// How the connection is made, besides what the user's own configuration of `ssh` says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SshOptions {
    /// A configuration file instead of the user's and the system's. Default none.
    pub config_file: Option<PathBuf>,
    /// Files of private keys to try first. Default none.
    pub identity_files: Vec<PathBuf>,
    /// A private key itself. It lies in a file that only this user can read while the
    /// connection is being made. Default none.
    pub private_key: Option<PrivateKey>,
    /// The socket of the agent to ask, if it is not the one of `SSH_AUTH_SOCK`. Default none.
    pub agent: Option<PathBuf>,
    /// From the start of `ssh` to the first answer of the engine. Default 10 s.
    pub connect_timeout: Duration,
    /// How long the connection is kept when nobody uses it. Default 30 s.
    pub linger: Duration,
    /// Silence, in whole seconds, after which the server is asked whether it is alive.
    /// 0 for never. Default 5 s.
    pub server_alive_interval: Duration,
    /// How often it is asked in vain before the connection counts as lost. Default 3.
    pub server_alive_count: u32,
    /// Where the server forwards no sockets: sessions at once on the connection. OpenSSH's
    /// server allows 10. Default 8.
    pub channel_limit: usize,
    /// How long a call waits for one of them. Default 30 s.
    pub queue_timeout: Duration,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            config_file: None,
            identity_files: Vec::new(),
            private_key: None,
            agent: None,
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(30),
            server_alive_interval: Duration::from_secs(5),
            server_alive_count: 3,
            channel_limit: 8,
            queue_timeout: Duration::from_secs(30),
        }
    }
}

/// A private key. It is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrivateKey(Vec<u8>);

impl PrivateKey {
    /// The key as its file holds it, without a passphrase.
    #[must_use]
    pub fn new(pem: Vec<u8>) -> Self {
        Self(pem)
    }

    #[cfg(unix)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl SshHost {
    /// Reads `[user@]host[:port][/path/to/docker.sock]`; an error is the reason.
    pub(in crate::engine) fn parse(rest: &str) -> Result<Self, &'static str> {
        let (authority, socket) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, name) = match authority.rsplit_once('@') {
            Some((user, name)) => (Some(user), name),
            None => (None, authority),
        };
        let (host, port) = split_port(name)?;
        if let Some(user) = user {
            check(
                user,
                is_user,
                "its user name is empty, begins with '-', or has characters that none should have (a password cannot be given: use a key or an agent)",
            )?;
        }
        check(
            host,
            is_name,
            "its name is empty, begins with '-', or has characters that no host name has",
        )?;
        let socket = if matches!(socket, "" | "/") { DEFAULT_SOCKET } else { socket };
        check(
            socket,
            is_path,
            "its socket's path has other characters than letters, digits and /._+@,=-",
        )?;
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: port.map(parse_port).transpose()?,
            socket: socket.to_owned(),
            options: SshOptions::default(),
        })
    }

    /// The same engine, connected to as `options` say.
    #[must_use]
    pub fn with(self, options: SshOptions) -> Self {
        Self { options, ..self }
    }

    /// How the connection is made.
    #[must_use]
    pub fn options(&self) -> &SshOptions {
        &self.options
    }

    /// The engine's socket on the machine of the ssh server.
    #[must_use]
    pub fn socket(&self) -> &str {
        &self.socket
    }

    #[cfg(unix)]
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    #[cfg(unix)]
    pub(super) fn name(&self) -> &str {
        &self.host
    }

    #[cfg(unix)]
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.socket.as_str() {
            DEFAULT_SOCKET => Ok(()),
            socket => f.write_str(socket),
        }
    }
}

fn split_port(name: &str) -> Result<(&str, Option<&str>), &'static str> {
    let Some(bracketed) = name.strip_prefix('[') else {
        return Ok(match name.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (name, None),
        });
    };
    let (address, port) = bracketed.split_once(']').ok_or("its [ has no ]")?;
    if address.parse::<std::net::Ipv6Addr>().is_err() {
        return Err("what is in the brackets is no IPv6 address");
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((address, None)),
        None => Err("a port comes after a colon"),
        Some(port) => Ok((address, Some(port))),
    }
}

fn parse_port(digits: &str) -> Result<u16, &'static str> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its port is not a number");
    }
    digits.parse().ok().filter(|&port| port != 0).ok_or("its port is not in 1-65535")
}

fn check(text: &str, allowed: fn(char) -> bool, reason: &'static str) -> Result<(), &'static str> {
    let is_fine = !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed);
    if is_fine { Ok(()) } else { Err(reason) }
}

fn is_user(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@')
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':')
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ',' | '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in [
            "engine",
            "me@engine",
            "me@corp.example@engine:2222",
            "[::1]:22",
            "me@engine:22/run/user/1000/docker.sock",
        ] {
            assert_eq!(SshHost::parse(text).unwrap().to_string(), format!("ssh://{text}"));
        }
        assert_eq!(SshHost::parse("engine/").unwrap().to_string(), "ssh://engine");
    }

    #[test]
    fn without_a_path_the_socket_is_the_usual_one() {
        assert_eq!(SshHost::parse("engine").unwrap().socket(), "/var/run/docker.sock");
        assert_eq!(SshHost::parse("engine/a/b.sock").unwrap().socket(), "/a/b.sock");
    }

    #[test]
    fn s22_what_could_mean_something_on_a_command_line_is_refused() {
        for text in [
            "",
            "-oProxyCommand=id",
            "-oProxyCommand=id@engine",
            "me@-oProxyCommand=id",
            "@engine",
            "me:secret@engine",
            "m e@engine",
            "me@eng ine",
            "me@engine\n",
            "me\u{7}@engine",
            "`id`@engine",
            "$(id)@engine",
            "%h@engine",
            "me@engine;id",
            "me@engine/run/$(id).sock",
            "me@engine/run/a:b.sock",
            "me@engine/run/a b.sock",
            "me@engine/run/'.sock",
            "me@engine/run/%h.sock",
            "engine:0",
            "engine:+22",
            "engine:70000",
            "engine:",
            "::1",
            "[::1",
            "[engine]",
            "[::1]22",
        ] {
            assert!(SshHost::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = PrivateKey::new(b"-----BEGIN secret".to_vec());
        let options = SshOptions { private_key: Some(key), ..SshOptions::default() };
        let host = SshHost::parse("engine").unwrap().with(options);
        let printed = format!("{host:?} {host}");
        assert!(!printed.contains("secret") && !printed.contains("BEGIN"), "{printed}");
        assert!(!printed.contains("45, 45"), "{printed}");
    }
}
