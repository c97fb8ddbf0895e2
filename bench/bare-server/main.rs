//! The least that a server on a WebSocket can be, to see what the wire itself costs.
//!
//! ```text
//! bare-server SOCKET CONTAINER      prints its URL, and serves until it is ended
//! ```
//!
//! Two threads for each session, which do nothing but wait in `read` and `write`: one takes frames
//! and masks off and gives the engine what is in them, the other puts the engine's output into
//! frames. No flow control, no limits, no pings, no orderly end but the usual one.

#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod frames;
#[cfg(unix)]
mod session;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::net::TcpListener;

    let mut words = std::env::args().skip(1);
    let (Some(socket), Some(container)) = (words.next(), words.next()) else {
        return Err(std::io::Error::other("usage: bare-server SOCKET CONTAINER"));
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ws://{}/bench", listener.local_addr()?);
    for peer in listener.incoming() {
        let (peer, socket, container) = (peer?, socket.clone(), container.clone());
        std::thread::spawn(move || {
            if let Err(error) = session::serve(peer, &socket, &container) {
                eprintln!("a session broke: {error}");
            }
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the bare server needs unix sockets");
    std::process::exit(2);
}
