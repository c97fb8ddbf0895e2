//! `dew serve`: a server for one container.

use std::{
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
};

use super::{Failure, args, say, system};
use crate::{
    engine::EngineHost,
    server::{Origins, Server, ServerError, ServerEvent, ServerOptions},
    session::OnDisconnect,
};

/// Serves until interrupted.
pub(super) async fn run(arguments: args::Serve) -> Result<i32, Failure> {
    let options = options(&arguments)?;
    let (path, container) = (options.path.clone(), options.container.clone());
    let server = Server::new(options, Arc::new(report))?;
    let mut ended = pin!(system::asked_to_end());
    let address = tokio::select! {
        biased;
        () = &mut ended => return Ok(0),
        address = start(&server, &arguments) => address?,
    };
    tell_place(&format!("ws://{address}{path}"), &container)?;
    ended.await;
    say(format_args!("ending {} session(s)", server.sessions().len()));
    server.close().await;
    Ok(0)
}

async fn start(server: &Server, arguments: &args::Serve) -> Result<SocketAddr, ServerError> {
    server.check().await?;
    server.listen(&arguments.host, arguments.port).await
}

/// Prints where to connect. A secret path that nobody gets to know is of no use.
fn tell_place(url: &str, container: &str) -> Result<(), Failure> {
    let words =
        format!("serving container {container} at {url}\nto open a shell in it: dew exec {url}\n");
    let mut stdout = io::stdout();
    match stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn options(arguments: &args::Serve) -> Result<ServerOptions, Failure> {
    let path = match &arguments.path {
        Some(path) => path.clone(),
        None => secret_path()?,
    };
    let engine = match &arguments.docker_host {
        Some(host) => host.parse().map_err(|error| engine_failure(&error))?,
        None => EngineHost::from_env().map_err(|error| engine_failure(&error))?,
    };
    Ok(ServerOptions {
        max_sessions: arguments.max_sessions,
        allow_remote: arguments.allow_remote,
        wrapper_command: arguments.wrapper_command.clone(),
        on_disconnect: match arguments.on_disconnect {
            args::WhenGone::Kill => OnDisconnect::Kill,
            args::WhenGone::Leave => OnDisconnect::Leave,
        },
        origins: match arguments.origins.as_slice() {
            [] => Origins::Same,
            list if list.iter().any(|origin| origin == "*") => Origins::Any,
            list => Origins::List(list.to_vec()),
        },
        ..ServerOptions::on(engine, path, arguments.container.clone())
    })
}

fn engine_failure(error: &crate::engine::EngineError) -> Failure {
    Failure::new(error, error.code())
}

/// A path of 128 random bits, so that only who is told it can connect.
fn secret_path() -> Result<String, Failure> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure(format!("cannot make a secret path: {error}")))?;
    Ok(secret.iter().fold("/".to_owned(), |path, byte| format!("{path}{byte:02x}")))
}

fn report(event: ServerEvent) {
    match event {
        ServerEvent::SessionAdded { session, count } => {
            let from = session.remote_address.as_deref().unwrap_or("unknown");
            say(format_args!("session {} from {from}, {count} open", session.id));
        }
        ServerEvent::SessionRemoved { id, count } => {
            say(format_args!("session {id} ended, {count} open"));
        }
        ServerEvent::SessionSettled { .. } => {}
        ServerEvent::Error(error) => say(format_args!("{}", Failure::new(&error, error.code()))),
    }
}
