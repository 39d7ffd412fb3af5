//! The listeners, a thread for each connection, and the end of both.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use rustls::ServerConfig;

use super::contents::Contents;
use super::conversation;
use super::log::Log;
use super::rules::Rules;
use super::tls;
use super::tokens::Tokens;
use super::wire::{Socket, Wire};
use super::{Auth, Options};

pub(super) struct Server {
    pub(super) options: Options,
    /// Where the registry listens.
    address: SocketAddr,
    /// Where the token server listens: there too, if it has no address of its own.
    token_address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    pub(super) contents: Contents,
    pub(super) tokens: Tokens,
    pub(super) rules: Rules,
    pub(super) log: Log,
    stopped: AtomicBool,
    /// What sleeping threads wait on.
    sleepers: (Mutex<()>, Condvar),
    connections: Mutex<Vec<Weak<TcpStream>>>,
}

impl Server {
    pub(super) fn start(options: Options) -> Arc<Server> {
        let loopback = if options.ipv6 {
            "[::1]:0"
        } else {
            "127.0.0.1:0"
        };
        let listener = bind(options.address.as_deref().unwrap_or(loopback));
        let second = match &options.auth {
            Auth::Token(token) => token.address.as_deref().map(bind),
            _ => None,
        };
        let address = address(&listener);
        let server = Arc::new(Server {
            address,
            token_address: second.as_ref().map_or(address, self::address),
            tls: options.tls.as_ref().map(tls::server),
            contents: options.contents.clone().unwrap_or_default(),
            tokens: Tokens::default(),
            rules: Rules::default(),
            log: Log::default(),
            stopped: AtomicBool::new(false),
            sleepers: (Mutex::new(()), Condvar::new()),
            connections: Mutex::default(),
            options,
        });
        for listener in [Some(listener), second].into_iter().flatten() {
            let listening = Arc::clone(&server);
            std::thread::spawn(move || listening.listen(&listener));
        }
        server
    }

    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn token_host(&self) -> String {
        self.token_address.to_string()
    }

    pub(super) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.address)
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
            let wire = Wire::new(Socket(socket), server.tls.as_ref());
            conversation::hold(&server, wire);
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

    /// Closes the ports and every connection; threads that wait end.
    pub(super) fn stop(&self) {
        let guard = self.sleepers.0.lock().expect("sound");
        self.stopped.store(true, Ordering::SeqCst);
        drop(guard);
        self.sleepers.1.notify_all();
        // A listener wakes at a connection and sees that it is over.
        for address in [self.address, self.token_address] {
            let _ = TcpStream::connect(address);
        }
        let connections = self.connections.lock().expect("sound");
        for connection in connections.iter().filter_map(Weak::upgrade) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn bind(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"))
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("bound")
}
