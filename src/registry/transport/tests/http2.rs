//! HTTP/2: agreed on in the TLS handshake, and left in order or not.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::Authority;

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Answer,
    /// Answers, and says that this was the last request of the connection.
    AnswerAndGoAway,
    /// Says without an answer that it is too busy.
    GoAway,
    Reset,
}

/// A server that speaks HTTP/2 alone; the first requests are met by the deeds, all others are answered.
struct Server {
    host: String,
    authority: Authority,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    async fn doing(deeds: &'static [Deed]) -> Server {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let server = Server {
            host: listener.local_addr().expect("bound").to_string(),
            connections: Arc::default(),
            requests: Arc::default(),
            authority,
        };
        let acceptor = acceptor(&server.authority);
        let (connections, requests) = (
            Arc::clone(&server.connections),
            Arc::clone(&server.requests),
        );
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let socket = acceptor.accept(socket).await.expect("TLS");
                assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                let connection = h2::server::handshake(socket).await.expect("HTTP/2");
                tokio::spawn(hold(connection, deeds, Arc::clone(&requests)));
            }
        });
        server
    }

    fn counts(&self) -> (usize, usize) {
        (
            self.connections.load(Ordering::SeqCst),
            self.requests.load(Ordering::SeqCst),
        )
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let tls = authority.for_loopback();
    let chain =
        CertificateDer::pem_slice_iter(tls.certificate.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).expect("a key");
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key)
        .expect("a configuration");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn hold(
    mut connection: Connection<TlsStream<TcpStream>, Bytes>,
    deeds: &[Deed],
    requests: Arc<AtomicUsize>,
) {
    while let Some(Ok((request, answer))) = connection.accept().await {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let deed = *deeds.get(number).unwrap_or(&Deed::Answer);
        match deed {
            Deed::Answer | Deed::AnswerAndGoAway => good(answer),
            Deed::Reset => drop_with(answer, h2::Reason::INTERNAL_ERROR),
            Deed::GoAway => connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM),
        }
        if deed == Deed::AnswerAndGoAway {
            connection.graceful_shutdown();
        }
        drop(request);
    }
}

/// 200, which is what an `http::Response` is made as.
fn good(mut answer: SendResponse<Bytes>) {
    let mut body = answer
        .send_response(Default::default(), false)
        .expect("sent");
    body.send_data(Bytes::from_static(b"ok"), true)
        .expect("sent");
}

fn drop_with(mut answer: SendResponse<Bytes>, reason: h2::Reason) {
    answer.send_reset(reason);
}

async fn got(desk: &Desk, server: &Server) -> Vec<u8> {
    let request = request("GET", &server.host, &format!("https://{}/v2/", server.host));
    let response = desk.send(request).await.expect("an answer");
    response.bytes(10).await.expect("a body")
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_on_one_connection() {
    let server = Server::doing(&[]).await;
    let (desk, _home) = tls::trusting(&server.host, &server.authority);
    for _ in 0..3 {
        assert_eq!(got(&desk, &server).await, b"ok");
    }
    assert_eq!(server.counts(), (1, 3));
}

#[tokio::test]
async fn r26_goaway_and_reset_are_tried_again_on_a_new_connection() {
    for (deeds, connections, requests) in [
        (&[Deed::AnswerAndGoAway][..], 2, 2),
        (&[Deed::GoAway], 2, 3),
        (&[Deed::Reset], 1, 3),
    ] {
        let server = Server::doing(deeds).await;
        let (desk, _home) = tls::trusting(&server.host, &server.authority);
        for _ in 0..2 {
            assert_eq!(got(&desk, &server).await, b"ok");
        }
        assert_eq!(server.counts(), (connections, requests));
    }
}

#[tokio::test]
async fn r26_a_stream_that_meets_a_goaway_comes_back_as_unreachable() {
    let server = Server::doing(&[Deed::GoAway]).await;
    let (desk, _home) = tls::trusting(&server.host, &server.authority);
    let mut upload = request("PUT", &server.host, &format!("https://{}/u", server.host));
    upload.payload = Payload::Stream(1 << 20, vec![0; 1 << 20].into());
    let error = desk.send(upload).await.err().expect("gone away");
    assert_eq!(error.cause, Cause::Unreachable);
    assert_eq!(server.counts(), (1, 1));
}
