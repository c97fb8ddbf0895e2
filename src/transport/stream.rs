//! The byte streams that a WebSocket can run on.

#[cfg(unix)]
use std::os::fd::AsFd;
use std::{io, time::Duration};

#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::forward::{forward_reads, forward_writes};

/// A byte stream from elsewhere, such as one that JavaScript decrypts.
pub trait BridgeIo: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> BridgeIo for T {}

/// The connection to a peer.
pub enum PeerStream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A unix-domain socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS of our own, on TCP; clients only.
    Tls(Box<TlsStream<TcpStream>>),
    /// A stream that somebody else moves the bytes of.
    Bridge(Box<dyn BridgeIo>),
}

impl std::fmt::Debug for PeerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            #[cfg(unix)]
            Self::Unix(_) => "Unix",
            Self::Tls(_) => "Tls",
            Self::Bridge(_) => "Bridge",
        })
    }
}

impl PeerStream {
    /// Prepares the socket: no delay for small writes, and the kernel's own keep-alive, which
    /// notices a vanished host even while our pings cannot be sent. Failures do not matter.
    pub(super) fn tune(&self) {
        let Some(tcp) = self.tcp() else { return };
        let _ = tcp.set_nodelay(true);
        let keep_alive = socket2::TcpKeepalive::new()
            .with_time(Duration::from_secs(60))
            .with_interval(Duration::from_secs(15));
        let _ = socket2::SockRef::from(tcp).set_tcp_keepalive(&keep_alive);
    }

    /// Whether any thread may write to it, which then waits for nothing: the other kinds have
    /// more to do than that, and may owe it to the task that reads.
    pub(super) fn is_plain_socket(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            #[cfg(unix)]
            Self::Unix(_) => true,
            Self::Tls(_) | Self::Bridge(_) => false,
        }
    }

    /// Has news of a socket come to the runtime that is entered, and no longer to another one.
    /// Streams that have more to do than the system does stay as they are, as does everything on
    /// Windows, which ties a socket to one runtime for good.
    pub(super) fn register_again(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        match self {
            Self::Tcp(tcp) => {
                let same = tcp.as_fd().try_clone_to_owned()?;
                *tcp = TcpStream::from_std(same.into())?;
            }
            Self::Unix(unix) => {
                let same = unix.as_fd().try_clone_to_owned()?;
                *unix = UnixStream::from_std(same.into())?;
            }
            Self::Tls(_) | Self::Bridge(_) => {}
        }
        Ok(())
    }

    /// Makes the coming drop cut the connection at once: what is still to be sent is lost, and
    /// the other end is told by a reset instead of never, should it not be reading.
    pub(super) fn set_abort(&self) {
        if let Some(tcp) = self.tcp() {
            let _ = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        }
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(tls) => Some(tls.get_ref().0),
            _ => None,
        }
    }

    /// Whether the other end has gone, asked of the kernel without reading: its end of the
    /// stream is closed or the connection broke. `false` where that cannot be told.
    pub(super) fn is_hung_up(&self) -> bool {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let fd = match self {
                Self::Tcp(tcp) => tcp.as_fd(),
                Self::Unix(unix) => unix.as_fd(),
                Self::Tls(tls) => tls.get_ref().0.as_fd(),
                Self::Bridge(_) => return false,
            };
            #[cfg(target_os = "linux")]
            let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
            #[cfg(not(target_os = "linux"))]
            let gone = PollFlags::HUP | PollFlags::ERR;
            let mut asked = [PollFd::from_borrowed_fd(fd, gone)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            matches!(poll(&mut asked, Some(&now)), Ok(1..)) && asked[0].revents().intersects(gone)
        }
        #[cfg(not(unix))]
        false
    }
}

forward_reads!(PeerStream, stream in
    Self::Tcp(stream),
    #[cfg(unix)]
    Self::Unix(stream),
    Self::Tls(stream),
    Self::Bridge(stream),
);
forward_writes!(PeerStream, stream in
    Self::Tcp(stream),
    #[cfg(unix)]
    Self::Unix(stream),
    Self::Tls(stream),
    Self::Bridge(stream),
);
