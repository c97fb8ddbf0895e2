//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// docker exec on a WebSocket
#[derive(Debug, Parser)]
#[command(name = "dew", version, about)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a command in the container behind a server
    ///
    /// The exit status is the command's; 125 if the session failed for another reason.
    Exec(Exec),
    /// Serve one container on a WebSocket, until interrupted
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(super) struct Exec {
    /// Give the command a terminal [default: if stdin and stdout are one]
    #[arg(short, long)]
    pub(super) tty: bool,
    /// Give the command no terminal
    #[arg(short = 'T', long, conflicts_with = "tty")]
    pub(super) no_tty: bool,
    /// Send no input
    #[arg(short = 'n', long)]
    pub(super) no_stdin: bool,
    /// A header to send with the handshake, as `Name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(super) headers: Vec<String>,
    /// Certificates to trust instead of the usual ones (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// The client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The client's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Take any certificate: whoever answers can read and change the session
    #[arg(long)]
    pub(super) insecure: bool,
    /// Milliseconds until the WebSocket must be open
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub(super) connect_timeout: u64,
    /// The server, such as ws://localhost:8080/shell, wss:// or ws+unix:///socket:/path
    pub(super) url: String,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "sh")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The container's name or id
    pub(super) container: String,
    /// The address to listen on; one that others than this machine reach needs --allow-remote
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Let everybody in who reaches the address and knows the path
    #[arg(long)]
    pub(super) allow_remote: bool,
    /// The port to listen on, 0 for any free one
    #[arg(short, long, default_value_t = 8080)]
    pub(super) port: u16,
    /// The path to serve [default: a secret one]
    #[arg(long)]
    pub(super) path: Option<String>,
    /// The engine, as unix:///path, npipe:////./pipe/name (Windows), tcp://host:port or
    /// ssh://user@host [default: DOCKER_HOST, else the engine of this machine]
    #[arg(long, value_name = "HOST")]
    pub(super) docker_host: Option<String>,
    /// Sessions at once
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(super) max_sessions: usize,
    /// What happens to a command when its client goes
    #[arg(long, value_enum, default_value_t = WhenGone::Kill)]
    pub(super) on_disconnect: WhenGone,
    /// An origin whose web pages may connect, `*` for all; may be repeated [default: only pages
    /// from this server's own address]
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(super) origins: Vec<String>,
    /// A word to put in front of each command; may be repeated
    #[arg(long = "wrapper", value_name = "WORD", allow_hyphen_values = true)]
    pub(super) wrapper_command: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum WhenGone {
    /// Its processes are ended
    Kill,
    /// It is left to run
    Leave,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn exec(line: &[&str]) -> Exec {
        match Arguments::try_parse_from([&["dew", "exec"], line].concat()).unwrap().command {
            Command::Exec(exec) => exec,
            Command::Serve(_) => unreachable!(),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_behind_the_command_are_the_commands() {
        let parsed = exec(&["-T", "ws://h/p", "ls", "-t", "--ca", "--", "x"]);
        assert!(parsed.no_tty && !parsed.tty && parsed.ca.is_none());
        assert_eq!(parsed.command, ["ls", "-t", "--ca", "--", "x"]);
    }

    #[test]
    fn the_command_is_a_shell_if_none_is_given() {
        assert_eq!(exec(&["ws://h/p"]).command, ["sh"]);
    }
}
