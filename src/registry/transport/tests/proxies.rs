//! Proxies on the way to registries that are not on this machine.

use tokio::io::copy_bidirectional;

use super::*;
use crate::registry::error::Cause;
use crate::testing::test_registry::{Authority, Options};

const REFUSES: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";

fn through(proxy: &str) -> Settings {
    Settings {
        environment: [
            ("HTTPS_PROXY".into(), proxy.into()),
            ("http_proxy".into(), proxy.into()),
        ]
        .into(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn r35_a_proxy_that_asks_who_we_are_is_named_without_its_secret() {
    for url in ["https://r.example/v2/", "http://cdn.example/v2/"] {
        let parrot = Parrot::saying(&[REFUSES]).await;
        let desk = Desk::with(&through(&format!("http://user:hunter22@{}", parrot.host)));
        let error = desk
            .send(request("GET", "r.example", url))
            .await
            .err()
            .expect("407");
        let told = told(&error);
        assert_eq!(error.cause, Cause::Unreachable);
        assert!(
            told.contains(&format!("through the proxy `http://{}`", parrot.host)),
            "{told}"
        );
        assert!(!told.contains("hunter22"), "{told}");
        let heard = parrot.heard();
        assert_eq!(heard.len(), 1, "not tried again: {told}");
        assert!(
            heard[0]
                .to_lowercase()
                .contains("proxy-authorization: basic dxnlcjpodw50zxiymg=="),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn r35_a_proxy_that_nobody_listens_on_is_named() {
    let proxy = format!("http://{}", closed_port().await);
    let error = Desk::with(&through(&proxy))
        .get("r.example", "/v2/")
        .await
        .expect_err("closed");
    let told = told(&error);
    assert!(
        told.contains("connection refused") && told.contains(&format!("the proxy `{proxy}`")),
        "{told}"
    );
}

#[tokio::test]
async fn r35_a_proxy_that_dies_in_the_tunnel_is_asked_again() {
    let parrot = Parrot::saying(&[b"HTTP/1.1 200 OK\r\n\r\n"]).await;
    let proxy = format!("http://{}", parrot.host);
    let error = Desk::with(&through(&proxy))
        .get("r.example", "/v2/")
        .await
        .expect_err("dies");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(
        told(&error).contains(&format!("the proxy `{proxy}`")),
        "{}",
        told(&error)
    );
    let heard = parrot.heard();
    assert_eq!(heard.len(), 5);
    assert!(heard[0].starts_with("CONNECT r.example:443 "), "{heard:?}");
    assert!(!heard[0].contains("s3cret"), "{heard:?}");
}

#[tokio::test]
async fn r35_this_machine_is_reached_directly() {
    let registry = TestRegistry::start();
    let desk = Desk::with(&through("http://127.0.0.1:1"));
    assert_eq!(
        desk.get(&registry.host(), "/v2/").await.expect("an answer"),
        200
    );
}

#[tokio::test]
async fn r35_tls_goes_through_the_tunnel_to_the_registry_itself() {
    let authority = Authority::new();
    let registry = TestRegistry::with(Options {
        tls: Some(authority.for_names(&["r.example"])),
        ..Options::default()
    });
    let proxy = format!("http://{}", tunnel(registry.host()).await);
    let (mut settings, _home) = tls::settings("r.example", &authority);
    settings.environment = through(&proxy).environment;
    assert_eq!(
        Desk::with(&settings)
            .get("r.example", "/v2/")
            .await
            .expect("an answer"),
        200
    );
    let seen = &registry.requests()[0];
    assert_eq!(seen.header("authorization"), Some(TOKEN));
}

/// A proxy that leads every tunnel to `target`.
async fn tunnel(target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let host = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = TcpStream::connect(&target).await.expect("there");
            let mut head = vec![0; 4096];
            let _ = from.read(&mut head).await;
            from.write_all(b"HTTP/1.1 200 OK\r\n\r\n")
                .await
                .expect("written");
            let _ = copy_bidirectional(&mut from, &mut to).await;
        }
    });
    host
}
