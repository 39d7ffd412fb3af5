//! One connection's bytes, in clear or in TLS, and how it ends: in order, or torn.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

/// A socket that the server can shut down while a thread reads from it; only one owner may remain when it is torn.
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
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(socket) => &socket.0,
        }
    }

    /// Ends with a RST, as a machine that crashed would: what was sent and not yet read may be lost too.
    pub(super) fn reset(self) {
        SockRef::from(self.socket())
            .set_linger(Some(Duration::ZERO))
            .expect("a socket lingers as told");
    }

    /// Ends with a FIN: all that was written arrives. All of the request must have been read, or the system makes it a RST.
    pub(super) fn close(mut self) {
        let _ = self.flush();
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
        }
    }
}
