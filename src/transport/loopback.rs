//! Connections within this machine are not paced.
//!
//! BBR, the congestion control that many servers have as their default, sets a timer for each
//! burst that it sends, to be kind to the network. Here there is none: the timers only cost, a
//! fifth of a server's time for output. A socket is paced for good once it is connected under BBR,
//! so it is listeners that are prepared, ours and those of others that are served on.

use std::io;
use std::net::IpAddr;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// Every Linux has it, lets everybody use it, and sets no timers for it.
#[cfg(target_os = "linux")]
const UNPACED: &[u8] = b"reno";

/// Connects to the first address of `host` that takes the connection.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        unpace(SockRef::from(&socket), address.ip());
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Prepares a listener, of whatever kind, for what will be accepted.
pub(crate) fn prepare(listener: SockRef<'_>) {
    if let Some(address) = listener.local_addr().ok().and_then(|address| address.as_socket()) {
        unpace(listener, address.ip());
    }
}

/// Sees to it that `socket`, which is or will be bound or connected to `address`, is not paced if
/// that is within this machine. Where that fails it only costs a little more.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables, clippy::needless_pass_by_value))]
fn unpace(socket: SockRef<'_>, address: IpAddr) {
    #[cfg(target_os = "linux")]
    if address.to_canonical().is_loopback()
        && socket.tcp_congestion().is_ok_and(|name| name.starts_with(b"bbr"))
    {
        let _ = socket.set_tcp_congestion(UNPACED);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn congestion(stream: &TcpStream) -> Vec<u8> {
        SockRef::from(stream).tcp_congestion().unwrap()
    }

    #[tokio::test]
    async fn neither_end_of_a_connection_within_this_machine_is_paced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // As if it were the default, where the system lets us.
        let _ = SockRef::from(&listener).set_tcp_congestion(b"bbr");
        prepare(SockRef::from(&listener));
        let port = listener.local_addr().unwrap().port();
        let (ours, theirs) = tokio::join!(connect("localhost", port), listener.accept());
        for stream in [&ours.unwrap(), &theirs.unwrap().0] {
            assert!(!congestion(stream).starts_with(b"bbr"));
        }
    }

    #[tokio::test]
    async fn a_name_whose_addresses_all_refuse_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = connect("localhost", port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn what_leaves_this_machine_keeps_its_pace() {
        let socket = TcpSocket::new_v4().unwrap();
        let before = SockRef::from(&socket).tcp_congestion().unwrap();
        unpace(SockRef::from(&socket), [192, 0, 2, 1].into());
        assert_eq!(SockRef::from(&socket).tcp_congestion().unwrap(), before);
    }
}
