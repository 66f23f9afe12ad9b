//! A TCP stream in; the same stream, plain or with TLS, out.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::HTTP_2;

/// The first byte of a client of TLS: its ClientHello is a record of type handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 60\r\nconnection: close\r\n\r\n\
    {\"error\":\"expected HTTPS on this port, got something else\"}\n";

/// The stream that a connection's bytes are read from and written to.
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Do the TLS handshake with a client that was just accepted.
    ///
    /// # Errors
    /// The handshake failed. A client that speaks plain HTTP gets an answer that says so.
    pub async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            // Unread bytes would reset the connection, and the client would not see the answer.
            let _ = stream.try_read(&mut [0; 4 << 10]);
            let _ = stream.try_write(NO_TLS);
            return Err(io::Error::new(ErrorKind::InvalidData, "expected TLS"));
        }
        Ok(Self::Tls(Box::new(TlsAcceptor::from(config).accept(stream).await?)))
    }

    /// Whether both sides have negotiated HTTP/2 (RFC 7301). None without TLS: then the first bytes decide.
    pub fn is_http2(&self) -> Option<bool> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream.get_ref().1.alpn_protocol() == Some(HTTP_2)),
        }
    }

    /// Write as many bytes as there is room for now, without waiting.
    pub fn try_write(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(stream) => drop(stream.try_write(bytes)),
            Self::Tls(stream) => {
                let _ = Pin::new(stream.as_mut())
                    .poll_write(&mut Context::from_waker(std::task::Waker::noop()), bytes);
            }
        }
    }

    fn pinned(&mut self) -> Pin<&mut dyn Both> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

/// A stream that can be read and written.
trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Self::Plain(stream) = &mut *self {
            return Pin::new(stream).poll_read(cx, buffer);
        }
        self.pinned().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Self::Plain(stream) = &mut *self {
            return Pin::new(stream).poll_write(cx, bytes);
        }
        self.pinned().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_shutdown(cx)
    }
}
