//! `dew exec`: a client on the local terminal or pipes.

use std::{io, path::Path, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{Failure, args, blocking};
use crate::{
    client::{Client, ClientEvent, ClientOptions, TlsOptions},
    protocol::ClientMessage,
};

/// Runs the command; answers its exit code.
pub(super) async fn run(arguments: args::Exec) -> Result<i32, Failure> {
    let tty = arguments.tty || (!arguments.no_tty && terminal::is_interactive());
    let options = options(&arguments, tty)?;
    // A handful of events at the most are not taken yet.
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| drop(told.send(event)));
    let client = Client::connect(options, tell).await?;

    let raw = if tty { terminal::Raw::enter() } else { None };
    let end = ClientMessage::End.encode();
    if arguments.no_stdin {
        client.input().push(end);
    } else {
        blocking::feed(io::stdin(), Arc::clone(client.input()), end);
    }
    let stdout = blocking::drain(Arc::clone(client.stdout()), io::stdout());
    let stderr = blocking::drain(Arc::clone(client.stderr()), io::stderr());
    let mut signals = Signals::new().map_err(|error| Failure(error.to_string()))?;

    let mut exit_code = None;
    let failure = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(ClientEvent::Exit(code)) => exit_code = Some(i32::from(code)),
                Some(ClientEvent::ServerError(text)) => eprintln!("dew: {text}\r"),
                Some(ClientEvent::Shutdown) => eprintln!("dew: the server is shutting down\r"),
                Some(ClientEvent::Closed { error, .. }) => break error,
                Some(_) => {}
                None => break None,
            },
            signal = signals.next() => match signal {
                Signal::Resized => {
                    if let Some((rows, cols)) = terminal::size().filter(|_| tty) {
                        client.resize(rows, cols);
                    }
                }
                Signal::End(number) => {
                    client.close();
                    drop(raw);
                    return Ok(128 + number);
                }
            },
        }
    };
    // A reader that went away, as of `dew exec … | head`, has what it wanted.
    let _ = tokio::join!(stdout, stderr);
    drop(raw);
    match (exit_code, failure) {
        (Some(exit_code), _) => Ok(exit_code),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(super::FAILED),
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
        size: terminal::size().filter(|_| tty),
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

enum Signal {
    /// The terminal has another size.
    Resized,
    /// We are asked to end, by the signal with this number.
    End(i32),
}

#[cfg(unix)]
use super::terminal;

#[cfg(unix)]
struct Signals {
    window: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            window: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.window.recv() => Signal::Resized,
            _ = self.terminate.recv() => Signal::End(15),
            _ = self.hang_up.recv() => Signal::End(1),
            _ = self.interrupt.recv() => Signal::End(2),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::End(2),
            Err(_) => std::future::pending().await,
        }
    }
}

/// What a system without terminals of the unix kind has to say about them.
#[cfg(not(unix))]
mod terminal {
    pub(super) struct Raw;

    impl Raw {
        pub(super) fn enter() -> Option<Self> {
            None
        }
    }

    pub(super) fn is_interactive() -> bool {
        false
    }

    pub(super) fn size() -> Option<(u16, u16)> {
        None
    }
}
