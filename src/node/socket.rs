//! Node's own sockets: takes over their connections, and prepares those that listen.
//!
//! The only file of the addon with `unsafe` in it: Node tells a descriptor as a number.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::net::{TcpStream, UnixStream};

use crate::transport::{self, PeerStream};

/// A stream of our own on the connection behind the descriptor `fd` of one of Node's sockets,
/// which may be destroyed afterwards: that closes Node's descriptor, not the connection.
///
/// Must be called inside the runtime.
pub(super) fn take_over(fd: i32) -> io::Result<PeerStream> {
    let socket = socket2::Socket::from(duplicate(fd)?);
    socket.set_nonblocking(true)?;
    if socket.r#type()? != socket2::Type::STREAM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a stream socket"));
    }
    if socket.local_addr()?.is_unix() {
        UnixStream::from_std(socket.into()).map(PeerStream::Unix)
    } else {
        TcpStream::from_std(socket.into()).map(PeerStream::Tcp)
    }
}

/// Prepares Node's listener behind the descriptor `fd` for what it will accept.
pub(super) fn prepare_listener(fd: i32) -> io::Result<()> {
    let own = duplicate(fd)?;
    transport::prepare_listener((&own).into());
    Ok(())
}

fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket has no descriptor"));
    }
    // SAFETY: `lib/` reads the number from the handle of a socket that is open, in this very turn
    // of the event loop, and closes it only after we have returned.
    let node = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(rustix::io::fcntl_dupfd_cloexec(node, 0)?)
}
