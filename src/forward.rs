//! Streams that hand each read and write on to a stream inside of them.

/// Implements `AsyncRead` for a type by the stream that each of its patterns names:
/// `forward_reads!(Link, stream in Self::Plain(stream), Self::Tls(stream));`
macro_rules! forward_reads {
    ($type:ty, $stream:ident in $($(#[$attribute:meta])* $pattern:pat),+ $(,)?) => {
        impl ::tokio::io::AsyncRead for $type {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffer: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* $pattern => ::std::pin::Pin::new($stream).poll_read(cx, buffer),)+
                }
            }
        }
    };
}

/// Implements `AsyncWrite` for a type, vectored writes included, as `forward_reads!` does.
macro_rules! forward_writes {
    ($type:ty, $stream:ident in $($(#[$attribute:meta])* $pattern:pat),+ $(,)?) => {
        impl ::tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bytes: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$attribute])* $pattern => ::std::pin::Pin::new($stream).poll_write(cx, bytes),)+
                }
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                slices: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$attribute])* $pattern => {
                        ::std::pin::Pin::new($stream).poll_write_vectored(cx, slices)
                    })+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $($(#[$attribute])* $pattern => $stream.is_write_vectored(),)+
                }
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* $pattern => ::std::pin::Pin::new($stream).poll_flush(cx),)+
                }
            }

            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* $pattern => ::std::pin::Pin::new($stream).poll_shutdown(cx),)+
                }
            }
        }
    };
}

pub(crate) use {forward_reads, forward_writes};
