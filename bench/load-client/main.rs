//! Clients for measurements, thousands of them, that cost little themselves.
//!
//! ```text
//! load-client        reads jobs from its stdin, one JSON object a line, until that ends
//! ```
//!
//! A job is `{"do": "open", ...}`; its answer is one line of JSON too, and meanwhile now and then
//! `{"progress": bytes}`. The jobs are described where they are handled.

#[cfg(unix)]
mod jobs;
#[cfg(unix)]
mod open;
#[cfg(unix)]
mod session;
#[cfg(unix)]
mod wire;

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    jobs::serve().await
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the load client needs unix sockets");
    std::process::exit(2);
}
