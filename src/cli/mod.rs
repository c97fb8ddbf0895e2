//! The command line `dew`: `dew exec` is a client, `dew serve` a server.
//!
//! The same code runs in the plain program and inside the Node addon, so it returns an exit
//! status, and never touches the streams of Node.js.

mod args;
mod blocking;
mod exec;
mod serve;
mod system;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write},
};

use clap::Parser;

use args::{Arguments, Command};

/// The exit status for failures of our own, as opposed to the command's: docker's convention.
pub const FAILED: i32 = 125;

/// Runs the command line `arguments`, of which the first is the program's name; answers the exit
/// status: that of the remote command, 0 to 255, or [`FAILED`], or 2 for a wrong command line.
pub async fn run(arguments: Vec<OsString>) -> i32 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to stdout, mistakes to stderr; nothing helps if neither can be written.
            let _ = error.print();
            return error.exit_code();
        }
    };
    let done = match arguments.command {
        Command::Exec(exec) => exec::run(exec).await,
        Command::Serve(serve) => serve::run(serve).await,
    };
    crate::engine::close_ssh();
    done.unwrap_or_else(|failure| {
        say(format_args!("{failure}"));
        FAILED
    })
}

/// Tells a person something. Where nobody listens, or nothing can be written, nobody needs to hear it:
/// `eprintln!` would panic.
fn say(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "dew: {words}");
}

/// Why our own part failed: a sentence for people with a stable code in it.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    fn new(error: &dyn std::error::Error, code: &str) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self(format!("{text} [{code}]"))
    }
}

impl From<crate::server::ServerError> for Failure {
    fn from(error: crate::server::ServerError) -> Self {
        Self::new(&error, error.code())
    }
}

impl From<crate::client::ClientError> for Failure {
    fn from(error: crate::client::ClientError) -> Self {
        Self::new(&error, error.code())
    }
}
