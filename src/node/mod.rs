//! The Node-API addon: what `lib/` calls, and nothing that a person would.
//!
//! Sessions, limits and sockets belong to the layers below; `lib/` owns event emitters and Node
//! streams. Between the two, JavaScript pulls bytes ([`pipes`]) and is told of rare things
//! through one thread-safe function for each server, client, request or bridge ([`channel`]). Promises
//! are made in one place ([`settle`]), so that they reject with our codes.

// What `#[napi]` exports is public to JavaScript, not to Rust.
#![allow(unreachable_pub)]

mod bridge;
mod channel;
mod client;
mod docker;
mod docker_answer;
mod docker_build;
mod docker_exchange;
mod docker_leftover;
mod docker_output;
mod failure;
mod options;
mod pipes;
mod program;
mod runtime;
mod server;
mod settle;
#[cfg(unix)]
mod socket;
mod ssh;
