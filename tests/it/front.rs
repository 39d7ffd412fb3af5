//! A front of a registry that speaks HTTP/2 over TLS and hangs up in the middle of things, as load balancers do when they are renewed.
//!
//! Each request is passed on in HTTP/1.1 to a registry of the test; nothing is decided here but when a connection goes away.

#![expect(clippy::disallowed_types, reason = "the other end of the network")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::test_registry::{Authority, TestRegistry};

/// How a connection goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// GOAWAY; what was begun is brought to its end.
    InOrder,
    /// GOAWAY, and no answer to anything.
    AtOnce,
    /// One request is reset.
    OfOne,
}

pub(crate) struct Front {
    pub(crate) host: String,
    counts: Arc<Counts>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Front {
    /// Before `registry`; goes away at its request number `last`, from 1.
    pub(crate) fn of(
        registry: &TestRegistry,
        authority: &Authority,
        (farewell, last): (Farewell, usize),
    ) -> Front {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("bound");
        let front = Front {
            host: listener.local_addr().expect("bound").to_string(),
            counts: Arc::default(),
            _runtime: runtime,
        };
        let (acceptor, counts) = (acceptor(authority), Arc::clone(&front.counts));
        let behind: Arc<str> = registry.host().into();
        front._runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(socket) = acceptor.accept(socket).await else {
                    continue;
                };
                counts.connections.fetch_add(1, Ordering::SeqCst);
                let connection = h2::server::handshake(socket).await.expect("HTTP/2");
                let (behind, counts) = (Arc::clone(&behind), Arc::clone(&counts));
                tokio::spawn(hold(connection, behind, counts, (farewell, last)));
            }
        });
        front
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let tls = authority.for_loopback();
    let chain = CertificateDer::pem_slice_iter(tls.certificate.as_bytes());
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).expect("they fit");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn hold(
    mut connection: Connection<TlsStream<tokio::net::TcpStream>, Bytes>,
    behind: Arc<str>,
    counts: Arc<Counts>,
    (farewell, last): (Farewell, usize),
) {
    while let Some(Ok((request, mut answer))) = connection.accept().await {
        let is_last = counts.requests.fetch_add(1, Ordering::SeqCst) + 1 == last;
        match farewell {
            Farewell::AtOnce if is_last => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            Farewell::OfOne if is_last => answer.send_reset(Reason::INTERNAL_ERROR),
            _ => drop(tokio::spawn(pass_on(request, answer, Arc::clone(&behind)))),
        }
        if is_last && farewell == Farewell::InOrder {
            connection.graceful_shutdown();
        }
    }
}

async fn pass_on(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    behind: Arc<str>,
) -> Option<()> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.ok()?;
        stream.flow_control().release_capacity(piece.len()).ok()?;
        body.extend_from_slice(&piece);
    }
    let text = in_clear(&head, body.len(), &behind);
    let asked = tokio::task::spawn_blocking(move || ask(&behind, &text, &body));
    let (response, body) = parsed(&asked.await.ok()??)?;
    let mut stream = answer.send_response(response, body.is_empty()).ok()?;
    if !body.is_empty() {
        stream.send_data(body, true).ok()?;
    }
    Some(())
}

/// The head of a request as HTTP/1.1 writes it.
fn in_clear(head: &http::request::Parts, length: usize, host: &str) -> String {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut text = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", head.method);
    for (name, value) in &head.headers {
        if name != "content-length" {
            let value = String::from_utf8_lossy(value.as_bytes());
            write!(text, "{name}: {value}\r\n").expect("in memory");
        }
    }
    format!("{text}Content-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn ask(behind: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(behind).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// An answer of the test registry, whose `Location` names itself.
fn parsed(answer: &[u8]) -> Option<(Response<()>, Bytes)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if !["connection", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
            response = response.header(name, value);
        }
    }
    let body = Bytes::copy_from_slice(&answer[end + 4..]);
    Some((response.body(()).ok()?, body))
}
