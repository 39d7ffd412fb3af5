//! Begins a handshake: ring makes the key share.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore};

fn main() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = "example.org".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("in memory");
    // A handshake record, TLS 1.0 to 1.3.
    assert_eq!(hello[..2], [22, 3]);
    println!("ring says hello");
}
