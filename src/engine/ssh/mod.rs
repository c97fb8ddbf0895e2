//! Engines behind an ssh server, through the `ssh` of this machine.
//!
//! ```text
//! address.rs   which engine, and what may be on a command line; pure
//! error.rs     what went wrong, after the words of ssh
//! links.rs     one link for each address, shared by all; who finds none starts one
//! link.rs      one connection: start (link/start.rs: ssh, and the route to the engine), use, idle end
//! stdio.rs     a session for each connection, where the server forwards no sockets
//! commands.rs  the command lines
//! process.rs   child processes
//! folder.rs    the private folder of a link's sockets
//! ```
//!
//! `ssh` is asked to do it, and not a library, because configuration, agents, known hosts, jumps
//! and hardware keys are then what they are for its user; and because its channels do not wait
//! for one another when a reader is slow.

mod address;
#[cfg(unix)]
mod commands;
mod error;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod stdio;

pub use address::{PrivateKey, SshHost, SshOptions};
pub use error::{SshError, SshFailure};
#[cfg(unix)]
pub(super) use link::Lease;
#[cfg(unix)]
pub(super) use links::connect;

/// Ends every connection through ssh of this process, and waits until nothing is left of them.
/// To be called before the process ends; calls after it connect anew.
pub fn close_ssh() {
    #[cfg(unix)]
    links::close_all();
}
