//! One connection's bytes, in clear or in TLS, and how it ends: in order, or torn.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// How long a client may take to notice that a connection is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// A socket that the server can shut down while a thread reads from it.
pub(super) struct Socket(pub(super) Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

pub(super) enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Wire {
    /// In TLS if there is a configuration for it; the handshake comes with the first read.
    pub(super) fn new(socket: Socket, tls: Option<&Arc<ServerConfig>>) -> Wire {
        let Some(config) = tls else {
            return Wire::Plain(socket);
        };
        let connection = ServerConnection::new(Arc::clone(config)).expect("a configuration");
        Wire::Tls(Box::new(StreamOwned::new(connection, socket)))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(socket) => &socket.0,
            Wire::Tls(stream) => &stream.sock.0,
        }
    }

    /// Whether the client speaks in clear where TLS is spoken; waits for its first byte.
    pub(super) fn is_misunderstood(&self) -> bool {
        let mut first = [0];
        let peeked = self.socket().peek(&mut first);
        matches!(self, Wire::Tls(_)) && peeked.is_ok_and(|taken| taken == 1) && first[0] != 0x16
    }

    /// Writes past TLS, which has not begun, and ends.
    pub(super) fn end_in_clear(self, bytes: &[u8]) {
        let _ = self.socket().write_all(bytes);
        end(self.socket());
    }

    /// Ends with a RST, as a machine that crashed would: what was sent and not yet read may be lost too.
    pub(super) fn reset(self) {
        SockRef::from(self.socket())
            .set_linger(Some(Duration::ZERO))
            .expect("a socket lingers as told");
    }

    /// Ends with a FIN, and takes what still comes, so that all that was written arrives.
    pub(super) fn close(mut self) {
        if let Wire::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
        }
        let _ = self.flush();
        end(self.socket());
    }
}

fn end(mut socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.set_read_timeout(Some(FAREWELL));
    let _ = std::io::copy(&mut socket, &mut std::io::sink());
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}
