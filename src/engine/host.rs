//! Where an engine is: the syntax of `DOCKER_HOST`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::EngineError;
use super::ssh::{SshHost, SshOptions};

/// Where engines listen unless told otherwise, on systems with unix sockets.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The same on Windows.
const DEFAULT_PIPE: &str = "docker_engine";
/// Why hosts of one system are refused on another.
pub(super) const PIPES_ELSEWHERE: &str = "named pipes are served on Windows only";
pub(super) const UNIX_ELSEWHERE: &str = "unix sockets are not served on Windows";
const SSH_ELSEWHERE: &str = "ssh is not served on Windows";
/// The port of an engine that listens on plain TCP.
const DEFAULT_PORT: u16 = 2375;

/// The address of an engine.
///
/// Parses what `DOCKER_HOST` may hold: `unix:///path`, `tcp://name:port`, `http://name:port`,
/// `ssh://[user@]host[:port][/path]`, `npipe:////./pipe/name`; and without a scheme an absolute
/// path, which is a unix socket, or `//./pipe/name`. Unix sockets and ssh are refused on Windows,
/// pipes everywhere else. `Display` gives the form with a scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EngineHost {
    /// A unix socket, by its absolute path.
    Unix(PathBuf),
    /// A TCP port without TLS: anyone who can connect to it owns the machine behind it.
    Tcp {
        /// Name or address; an IPv6 address is without its brackets.
        host: String,
        /// 2375 if it was not given.
        port: u16,
    },
    /// A unix socket on another machine, through the `ssh` of this one.
    Ssh(Box<SshHost>),
    /// A named pipe of this machine, by its name alone: `docker_engine` for
    /// `npipe:////./pipe/docker_engine`.
    Pipe(String),
}

impl EngineHost {
    /// The engine that `DOCKER_HOST` names, or the default.
    ///
    /// # Errors
    ///
    /// As [`FromStr`]; and `UnsupportedHost` for a TCP host if `DOCKER_TLS_VERIFY` is
    /// set, so that nobody speaks plain text to an engine that was meant to be secured.
    pub fn from_env() -> Result<Self, EngineError> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        Self::from_variables(&variable("DOCKER_HOST"), &variable("DOCKER_TLS_VERIFY"))
    }

    /// The same host; if it is behind ssh, connected to as `options` say.
    #[must_use]
    pub fn with_ssh(self, options: SshOptions) -> Self {
        match self {
            Self::Ssh(host) => Self::Ssh(Box::new(host.with(options))),
            other => other,
        }
    }

    fn from_variables(host: &str, tls_verify: &str) -> Result<Self, EngineError> {
        if host.is_empty() {
            return Ok(Self::default());
        }
        let parsed = host.parse()?;
        if !tls_verify.is_empty() && matches!(parsed, Self::Tcp { .. }) {
            return Err(unsupported(host, "TLS (DOCKER_TLS_VERIFY is set)"));
        }
        Ok(parsed)
    }
}

impl Default for EngineHost {
    /// `unix:///var/run/docker.sock`; on Windows `npipe:////./pipe/docker_engine`.
    fn default() -> Self {
        match cfg!(windows) {
            true => Self::Pipe(DEFAULT_PIPE.to_owned()),
            false => Self::Unix(PathBuf::from(DEFAULT_SOCKET)),
        }
    }
}

impl fmt::Display for EngineHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh(host) => host.fmt(f),
            Self::Pipe(name) => write!(f, "npipe:////./pipe/{name}"),
        }
    }
}

impl FromStr for EngineHost {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        if pipe_name(text).is_some() {
            return parse_pipe(text, text);
        }
        if text.starts_with('/') {
            return parse_unix(text, text);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(invalid(text, "it has no scheme and is no absolute path"));
        };
        match scheme {
            "unix" if rest.is_empty() => parse_unix(text, DEFAULT_SOCKET),
            "unix" => parse_unix(text, rest),
            "tcp" | "http" => parse_tcp(text, rest),
            "https" => Err(unsupported(text, "TLS (https://)")),
            "ssh" => parse_ssh(text, rest),
            "npipe" => parse_pipe(text, rest),
            _ => Err(invalid(text, "its scheme is unknown")),
        }
    }
}

fn parse_unix(text: &str, path: &str) -> Result<EngineHost, EngineError> {
    if cfg!(not(unix)) {
        return Err(unsupported(text, UNIX_ELSEWHERE));
    }
    if !path.starts_with('/') {
        return Err(invalid(text, "the path of a unix socket has to be absolute"));
    }
    if path.contains('\0') {
        return Err(invalid(text, "a path cannot hold a NUL"));
    }
    Ok(EngineHost::Unix(PathBuf::from(path)))
}

fn parse_tcp(text: &str, rest: &str) -> Result<EngineHost, EngineError> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let Some((address, port)) = bracketed.split_once(']') else {
                return Err(invalid(text, "its [ has no ]"));
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(invalid(text, "what is in the brackets is no IPv6 address"));
            }
            match port.strip_prefix(':') {
                None if port.is_empty() => (address, None),
                None => return Err(invalid(text, "a port comes after a colon")),
                Some(port) => (address, Some(port)),
            }
        }
        None => match authority.split_once(':') {
            None => (authority, None),
            Some((host, port)) => (host, Some(port)),
        },
    };
    if host.is_empty() {
        return Err(invalid(text, "it has no name"));
    }
    // A name that looks like an option must never reach a command line (ssh, docker).
    if host.starts_with('-') {
        return Err(invalid(text, "a name cannot begin with '-'"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if !host.chars().all(allowed) {
        return Err(invalid(text, "its name has characters that no host name has"));
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(invalid(text, "its port is not in 1-65535")),
        },
        Some(_) => return Err(invalid(text, "its port is not a number")),
    };
    Ok(EngineHost::Tcp { host: host.to_owned(), port })
}

fn parse_ssh(text: &str, rest: &str) -> Result<EngineHost, EngineError> {
    if cfg!(not(unix)) {
        return Err(unsupported(text, SSH_ELSEWHERE));
    }
    let host = SshHost::parse(rest).map_err(|reason| invalid(text, reason))?;
    Ok(EngineHost::Ssh(Box::new(host)))
}

/// The name of a pipe of this machine, in either kind of slashes.
fn pipe_name(path: &str) -> Option<&str> {
    path.strip_prefix("//./pipe/").or_else(|| path.strip_prefix(r"\\.\pipe\"))
}

fn parse_pipe(text: &str, path: &str) -> Result<EngineHost, EngineError> {
    if cfg!(not(windows)) {
        return Err(unsupported(text, PIPES_ELSEWHERE));
    }
    if path.is_empty() {
        return Ok(EngineHost::Pipe(DEFAULT_PIPE.to_owned()));
    }
    // A pipe of another machine would be given this user's credentials.
    let name = pipe_name(path).ok_or_else(|| invalid(text, "a named pipe is //./pipe/name"))?;
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(invalid(text, "the name of its pipe is empty, or has a slash or a NUL"));
    }
    Ok(EngineHost::Pipe(name.to_owned()))
}

fn invalid(host: &str, reason: &'static str) -> EngineError {
    EngineError::InvalidHost { host: host.to_owned(), reason }
}

fn unsupported(host: &str, reason: &'static str) -> EngineError {
    EngineError::UnsupportedHost { host: host.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> EngineHost {
        EngineHost::Tcp { host: host.to_owned(), port }
    }

    fn code_of(text: &str) -> &'static str {
        text.parse::<EngineHost>().map_or_else(|error| error.code(), |_| "none")
    }

    #[test]
    fn the_forms_of_docker_host_are_understood() {
        let cases = [
            ("tcp://engine:2376", tcp("engine", 2376)),
            ("tcp://engine", tcp("engine", 2375)),
            ("http://127.0.0.1:80/", tcp("127.0.0.1", 80)),
            ("tcp://[::1]:2375", tcp("::1", 2375)),
            ("tcp://[fe80::2]", tcp("fe80::2", 2375)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<EngineHost>().unwrap(), expected, "{text}");
        }
    }

    const UNIX_FORMS: [(&str, &str); 3] = [
        ("unix:///run/d.sock", "/run/d.sock"),
        ("/run/d.sock", "/run/d.sock"),
        ("unix://", DEFAULT_SOCKET),
    ];
    const PIPE_FORMS: [(&str, &str); 4] = [
        ("npipe:////./pipe/docker_engine", "docker_engine"),
        ("npipe://", "docker_engine"),
        ("//./pipe/Other", "Other"),
        (r"\\.\pipe\Other", "Other"),
    ];

    #[test]
    fn sockets_and_pipes_are_understood_where_they_are_served_and_refused_elsewhere() {
        for (text, path) in UNIX_FORMS {
            match cfg!(windows) {
                true => assert_eq!(code_of(text), "DEW_HOST_UNSUPPORTED", "{text}"),
                false => {
                    assert_eq!(text.parse::<EngineHost>().unwrap(), EngineHost::Unix(path.into()))
                }
            }
        }
        for (text, name) in PIPE_FORMS {
            match cfg!(windows) {
                true => {
                    assert_eq!(text.parse::<EngineHost>().unwrap(), EngineHost::Pipe(name.into()))
                }
                false => assert_eq!(code_of(text), "DEW_HOST_UNSUPPORTED", "{text}"),
            }
        }
    }

    #[test]
    fn a_host_is_written_as_it_is_read() {
        let here = match cfg!(windows) {
            true => ["npipe:////./pipe/docker_engine", "npipe:////./pipe/Other"],
            false => ["unix:///run/d.sock", "ssh://me@engine"],
        };
        for text in here.into_iter().chain(["tcp://engine:2376", "tcp://[::1]:2375"]) {
            assert_eq!(text.parse::<EngineHost>().unwrap().to_string(), text);
        }
        let default = EngineHost::default();
        assert_eq!(default.to_string().parse::<EngineHost>().unwrap(), default);
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        let elsewhere = if cfg!(windows) { "ssh://me@engine" } else { "npipe:////./pipe/a" };
        for text in [elsewhere, "https://host:2376"] {
            assert_eq!(code_of(text), "DEW_HOST_UNSUPPORTED", "{text}");
        }
    }

    #[test]
    fn a_pipe_of_another_machine_is_refused() {
        let expected = if cfg!(windows) { "DEW_HOST_INVALID" } else { "DEW_HOST_UNSUPPORTED" };
        for text in [
            "npipe:////other/pipe/docker_engine",
            "npipe://docker_engine",
            "npipe:////./pipe/",
            "npipe:////./pipe/a/b",
            "npipe:////./pipe/a\\b",
        ] {
            assert_eq!(code_of(text), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let cases = [
            "",
            "docker.sock",
            "tcp://",
            "tcp://:2375",
            "tcp://-oProxy:22",
            "tcp://host:0",
            "tcp://host:70000",
            "tcp://host:+80",
            "tcp://host:a",
            "tcp://host/path",
            "tcp://user@host:1",
            "tcp://[::1",
            "tcp://[host]:1",
            "tcp://[::1]1",
            "tcp://::1",
            "gopher://host",
            "tcp://h st:1",
        ];
        for text in cases {
            assert_eq!(code_of(text), "DEW_HOST_INVALID", "{text}");
        }
        let of_unix = if cfg!(windows) { "DEW_HOST_UNSUPPORTED" } else { "DEW_HOST_INVALID" };
        for text in ["ssh://", "ssh://-oProxyCommand=id", "unix://run/d.sock", "unix:///a\0b"] {
            assert_eq!(code_of(text), of_unix, "{text}");
        }
    }

    #[test]
    fn tls_is_never_dropped_in_silence() {
        let error = EngineHost::from_variables("tcp://host:2376", "1").unwrap_err();
        assert_eq!(error.code(), "DEW_HOST_UNSUPPORTED");
        let local = EngineHost::default().to_string();
        assert!(EngineHost::from_variables(&local, "1").is_ok());
        assert_eq!(EngineHost::from_variables("", "1").unwrap(), EngineHost::default());
    }
}
