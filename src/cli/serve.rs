//! `dew serve`: a server for one container.

use std::sync::Arc;

use super::{Failure, args, system};
use crate::{
    engine::EngineHost,
    server::{Origins, Server, ServerEvent, ServerOptions},
    session::OnDisconnect,
};

/// Serves until interrupted.
pub(super) async fn run(arguments: args::Serve) -> Result<i32, Failure> {
    let options = options(&arguments)?;
    let (path, container) = (options.path.clone(), options.container.clone());
    let server = Server::new(options, Arc::new(report))?;
    server.check().await?;
    let address = server.listen(&arguments.host, arguments.port).await?;
    println!("serving container {container} at ws://{address}{path}");
    println!("to open a shell in it: dew exec ws://{address}{path}");
    system::asked_to_end().await;
    eprintln!("dew: ending {} session(s)", server.sessions().len());
    server.close().await;
    Ok(0)
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
            eprintln!("dew: session {} from {from}, {count} open", session.id);
        }
        ServerEvent::SessionRemoved { id, count } => {
            eprintln!("dew: session {id} ended, {count} open");
        }
        ServerEvent::SessionSettled { .. } => {}
        ServerEvent::Error(error) => eprintln!("dew: {}", Failure::new(&error, error.code())),
    }
}
