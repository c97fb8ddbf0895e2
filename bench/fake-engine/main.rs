//! An engine without containers, for measuring what talks to it.
//!
//! ```text
//! fake-engine SOCKET      listens on the unix socket SOCKET until its own stdin ends
//! ```
//!
//! It answers the calls that a server of this package, the originals and dockerode make for an
//! exec: every container is there and runs, and what an exec does is said by its words (see
//! `work.rs`). What a container prints to `attach` and `logs` is said by its name. One thread serves it all but keys, as fast as a unix socket takes it, so that it costs
//! the core that it shares with others as little as can be.

#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod http;
#[cfg(unix)]
mod work;

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    use tokio::io::AsyncReadExt;

    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: fake-engine SOCKET");
        std::process::exit(2);
    };
    let listener = tokio::net::UnixListener::bind(path)?;
    println!("listening");
    tokio::select! {
        ended = engine::serve(listener) => ended,
        // Whoever started us holds the other end: we go when they do.
        ended = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => ended.map(drop),
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the fake engine needs unix sockets");
    std::process::exit(2);
}
