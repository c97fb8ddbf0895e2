//! `dew exec`: a client on the local terminal or pipes.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot::error::RecvError};

use super::{
    Failure, args, blocking, say,
    system::{self, Signal, Signals},
};
use crate::client::{Client, ClientEvent, ClientOptions, TlsOptions};

/// The signal that says that nobody reads.
const SIGPIPE: i32 = 13;

/// Runs the command; answers its exit code.
pub(super) async fn run(arguments: args::Exec) -> Result<i32, Failure> {
    let tty = arguments.tty || (!arguments.no_tty && system::is_interactive());
    let options = options(&arguments, tty)?;
    // Before connecting: within Node.js nothing else ends the process.
    let mut signals = Signals::new().map_err(|error| Failure(error.to_string()))?;
    // A handful of events at the most are not taken yet.
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| drop(told.send(event)));
    let asked_size = options.size;
    let client = tokio::select! {
        number = signals.end() => return Ok(128 + number),
        client = Client::connect(options, tell) => client?,
    };

    let raw = if tty { system::Raw::enter() } else { None };
    if arguments.no_stdin {
        client.end_input();
    } else {
        blocking::feed(io::stdin(), client.clone());
    }
    let mut stdout = blocking::drain(Arc::clone(client.stdout()), system::stdout());
    let stderr = blocking::drain(Arc::clone(client.stderr()), io::stderr());
    let resize = || {
        if let Some((rows, cols)) = system::size().filter(|_| tty) {
            client.resize(rows, cols);
        }
    };
    if system::size() != asked_size {
        resize();
    }

    let mut exit_code = None;
    let mut written = None;
    let failure = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(ClientEvent::Exit(code)) => exit_code = Some(i32::from(code)),
                Some(ClientEvent::ServerError(text)) => say(format_args!("{text}\r")),
                Some(ClientEvent::Shutdown) => say(format_args!("the server is shutting down\r")),
                Some(ClientEvent::Closed { error, .. }) => break error,
                Some(_) => {}
                None => break None,
            },
            done = &mut stdout, if written.is_none() => {
                if let Some(error) = failed(&done) && exit_code.is_none() {
                    client.close();
                    drop(raw);
                    return unwritten(error);
                }
                written = Some(done);
            }
            signal = signals.next() => match signal {
                Signal::Resized => resize(),
                Signal::End(number) => {
                    client.close();
                    drop(raw);
                    return Ok(128 + number);
                }
            },
        }
    };
    let rest = async {
        let _ = stderr.await;
        match written {
            Some(done) => done,
            None => stdout.await,
        }
    };
    let done = tokio::select! {
        number = signals.end() => return Ok(128 + number),
        done = rest => done,
    };
    drop(raw);
    match (exit_code, failure) {
        (Some(exit_code), _) => match failed(&done) {
            // A reader that went away, as of `dew exec … | head`, has what it wanted.
            Some(error) if error.kind() != ErrorKind::BrokenPipe => unwritten(error),
            _ => Ok(exit_code),
        },
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(super::FAILED),
    }
}

/// Why the output could not be written to its end.
fn failed(done: &Result<io::Result<()>, RecvError>) -> Option<&io::Error> {
    done.as_ref().ok()?.as_ref().err()
}

/// What becomes of us when our output goes nowhere: what the system does to others whose reader went
/// away, or a failure.
fn unwritten(error: &io::Error) -> Result<i32, Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(128 + SIGPIPE),
        _ => Err(Failure(format!("cannot write to stdout: {error}"))),
    }
}

fn options(arguments: &args::Exec, tty: bool) -> Result<ClientOptions, Failure> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| Failure(format!("cannot read {}: {error}", path.display())))
    };
    let mut headers = Vec::new();
    for header in &arguments.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Failure(format!("header `{header}` is not of the form `Name: value`"))
        })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(ClientOptions {
        tty,
        command: arguments.command.clone(),
        size: system::size().filter(|_| tty),
        headers,
        tls: TlsOptions {
            ca: arguments.ca.as_deref().map(read).transpose()?.into_iter().collect(),
            cert: arguments.cert.as_deref().map(read).transpose()?,
            key: arguments.key.as_deref().map(read).transpose()?,
            reject_unauthorized: !arguments.insecure,
            server_name: None,
        },
        connect_timeout: Duration::from_millis(arguments.connect_timeout),
        ..ClientOptions::new(arguments.url.clone())
    })
}
