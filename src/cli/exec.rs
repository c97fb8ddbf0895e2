//! `dew exec`: a client on the local terminal or pipes.

use std::{io, path::Path, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    Failure, args, blocking,
    system::{self, Signal, Signals},
};
use crate::{
    client::{Client, ClientEvent, ClientOptions, TlsOptions},
    protocol::ClientMessage,
};

/// Runs the command; answers its exit code.
pub(super) async fn run(arguments: args::Exec) -> Result<i32, Failure> {
    let tty = arguments.tty || (!arguments.no_tty && system::is_interactive());
    let options = options(&arguments, tty)?;
    // A handful of events at the most are not taken yet.
    let (told, mut events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| drop(told.send(event)));
    let client = Client::connect(options, tell).await?;

    let raw = if tty { system::Raw::enter() } else { None };
    let end = ClientMessage::End.encode();
    if arguments.no_stdin {
        client.input().push(end);
    } else {
        blocking::feed(io::stdin(), Arc::clone(client.input()), end);
    }
    let stdout = blocking::drain(Arc::clone(client.stdout()), system::stdout());
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
                    if let Some((rows, cols)) = system::size().filter(|_| tty) {
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
