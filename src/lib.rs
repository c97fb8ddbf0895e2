//! `docker exec` on a WebSocket.
//!
//! A [`server`] joins each WebSocket (a *peer*) to one exec in a container; that pair is a
//! [`session`]. A [`client`] is the other end. Modules, in the order in which they may import
//! one another (`tests/layering.rs` keeps it so):
//!
//! | module | knows | may import |
//! |---|---|---|
//! | [`protocol`] | bytes and messages; no I/O, no clock | nothing |
//! | [`runtime`] | the settings of the tokio runtime | nothing |
//! | `forward` | streams that hand reads and writes on to one inside | nothing |
//! | `pace` | when to read next in bulk | `lane` |
//! | `lane` | threads of their own for sessions in bulk | `runtime` |
//! | [`pipe`] | a bounded queue of bytes between two tasks or threads | nothing |
//! | [`engine`] | one Docker-compatible engine; hijacked exec streams | `forward`, `pace` |
//! | [`transport`] | WebSockets: handshakes, frames, limits, keep-alive | `protocol`, `pipe`, `forward`, `pace` |
//! | [`session`] | one peer joined to one exec | `protocol`, `engine`, `transport` |
//! | [`server`] | listening, admission, the sessions of one server | all above |
//! | [`client`] | the other end of a session | `protocol`, `pipe`, `transport` |
//! | `node`, [`cli`] | Node.js and the command line | public items of `server`, `client`, `engine`, `pipe` |

pub mod cli;
pub mod client;
pub mod engine;
mod forward;
mod lane;
mod pace;
pub mod pipe;
pub mod protocol;
pub mod runtime;
pub mod server;
pub mod session;
pub mod transport;

#[cfg(feature = "node")]
#[cfg_attr(test, allow(dead_code, reason = "functions are registered with Node outside of tests"))]
mod node;
