//! The listener, a thread for each connection, and the end of both.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use super::contents::Contents;
use super::conversation;
use super::log::Log;
use super::options::Options;
use super::rules::Rules;
use super::wire::{Socket, Wire};

pub(super) struct Server {
    pub(super) options: Options,
    pub(super) host: String,
    address: SocketAddr,
    pub(super) contents: Contents,
    pub(super) rules: Rules,
    pub(super) log: Log,
    stopped: AtomicBool,
    /// What sleeping threads wait on.
    sleepers: (Mutex<()>, Condvar),
    connections: Mutex<Vec<Weak<TcpStream>>>,
}

impl Server {
    pub(super) fn start(options: Options) -> Arc<Server> {
        let loopback = if options.ipv6 { "[::1]:0" } else { "127.0.0.1:0" };
        let wanted = options.address.as_deref().unwrap_or(loopback);
        let listener =
            TcpListener::bind(wanted).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        let address = listener.local_addr().expect("bound");
        let server = Arc::new(Server {
            host: address.to_string(),
            address,
            contents: options.contents.clone().unwrap_or_default(),
            rules: Rules::default(),
            log: Log::default(),
            stopped: AtomicBool::new(false),
            sleepers: (Mutex::new(()), Condvar::new()),
            connections: Mutex::default(),
            options,
        });
        let listening = Arc::clone(&server);
        std::thread::spawn(move || listening.listen(&listener));
        server
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.host)
    }

    /// A `Location` for a path of this registry.
    pub(super) fn location(&self, path: &str) -> String {
        match self.options.relative_locations {
            true => path.to_owned(),
            false => format!("{}{path}", self.origin()),
        }
    }

    fn listen(self: &Arc<Server>, listener: &TcpListener) {
        for connection in listener.incoming() {
            if self.has_stopped() {
                return;
            }
            if let Ok(stream) = connection {
                self.welcome(stream);
            }
        }
    }

    fn welcome(self: &Arc<Server>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let socket = Arc::new(stream);
        let mut connections = self.connections.lock().expect("sound");
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(&socket));
        drop(connections);
        let server = Arc::clone(self);
        std::thread::spawn(move || {
            conversation::hold(&server, Wire::Plain(Socket(socket)));
        });
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits, but not beyond the end of the server.
    pub(super) fn pause(&self, time: Duration) {
        let (lock, bell) = &self.sleepers;
        let guard = lock.lock().expect("sound");
        let waiting = bell.wait_timeout_while(guard, time, |()| !self.has_stopped());
        drop(waiting.expect("sound"));
    }

    /// Closes the port and every connection; threads that wait end.
    pub(super) fn stop(&self) {
        let guard = self.sleepers.0.lock().expect("sound");
        self.stopped.store(true, Ordering::SeqCst);
        drop(guard);
        self.sleepers.1.notify_all();
        // The listener wakes at a connection and sees that it is over.
        let _ = TcpStream::connect(self.address);
        let connections = self.connections.lock().expect("sound");
        for connection in connections.iter().filter_map(Weak::upgrade) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}
