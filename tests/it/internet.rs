//! Names that lead to listeners of the test: a proxy through which the program reaches a public network that is not there.
//!
//! What is public cannot be had on loopback, where other rules hold. Behind this proxy `https://registry.example` has a certificate
//! that the program trusts, and every connection ends in the test; what is sent in clear is written down whole.

#![expect(clippy::disallowed_types, reason = "the other end of the network")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::support::TestEnv;
use crate::test_registry::{Authority, TestRegistry};

/// The secret of the proxy itself, which nobody else may see.
pub(crate) const PROXY_PASSWORD: &str = "proxy-secret-11aa";

pub(crate) struct Internet {
    pub(crate) authority: Authority,
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// `registry.example:443`, or `*`, and the address that it leads to.
    places: Mutex<Vec<(String, String)>>,
    heard: Mutex<Vec<String>>,
}

impl Internet {
    pub(crate) fn new() -> Internet {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let internet = Internet {
            authority: Authority::new(),
            address: listener.local_addr().expect("bound").to_string(),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&internet.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        internet
    }

    /// `place` is `host:port`, or `*` for all that leads nowhere else.
    pub(crate) fn lead(&self, place: &str, to: &TestRegistry) {
        let entry = (place.to_owned(), to.host());
        self.shared.places.lock().expect("sound").push(entry);
    }

    /// Lets a command live in this network and trust its authority.
    pub(crate) fn given_to<'a>(&self, env: &TestEnv, command: &'a mut Command) -> &'a mut Command {
        let proxy = format!("http://proxy-user:{PROXY_PASSWORD}@{}", self.address);
        command
            .env("HTTPS_PROXY", &proxy)
            .env("HTTP_PROXY", &proxy)
            .env("SSL_CERT_FILE", self.certificate(env))
    }

    /// The authority's certificate in a file.
    pub(crate) fn certificate(&self, env: &TestEnv) -> PathBuf {
        let file = env.path("authority.pem");
        std::fs::write(&file, self.authority.pem()).expect("written");
        file
    }

    /// Every head that the proxy was sent, and the bodies of what was not tunnelled.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.shared.heard.lock().expect("sound").clone()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let head = head(&mut reader);
        let place = head
            .strip_prefix("CONNECT ")
            .and_then(|rest| Some(rest.split_once(' ')?.0.to_owned()));
        let body = match place {
            Some(_) => String::new(),
            None => body(&head, &mut reader),
        };
        self.heard
            .lock()
            .expect("sound")
            .push(format!("{head}{body}"));
        match place {
            Some(place) => self.tunnel(&place, reader.into_inner()),
            None => answer(reader.get_mut(), "200 OK", "{\"token\":\"in-clear\"}"),
        }
    }

    fn tunnel(&self, place: &str, mut near: TcpStream) {
        let places = self.places.lock().expect("sound").clone();
        let led = places
            .iter()
            .find(|(known, _)| known == place)
            .or_else(|| places.iter().find(|(known, _)| known == "*"));
        let Some(far) = led.and_then(|(_, to)| TcpStream::connect(to).ok()) else {
            return answer(&mut near, "502 Bad Gateway", "");
        };
        let _ = near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let (near_too, far_too) = (near.try_clone().expect("a socket"), far.try_clone());
        let back = std::thread::spawn(move || pour(far, near_too));
        pour(near, far_too.expect("a socket"));
        let _ = back.join();
    }
}

/// Up to and with the empty line.
fn head(reader: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    head
}

fn body(head: &str, reader: &mut BufReader<TcpStream>) -> String {
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let mut bytes = Vec::new();
    let _ = reader.take(length).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}
