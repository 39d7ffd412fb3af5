//! The transport against registries that misbehave, and what the tests of it are made with.

mod bodies;
mod http2;
mod locations;
mod pieces;
mod proxies;
mod redirects;
mod retries;
mod schemes;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::notes::Notes;
use crate::progress::Transfers;
use crate::registry::Listeners;
use crate::registry::error::Error;
use crate::registry::origin::Origin;
use crate::registry::patience::Patience;
use crate::registry::settings::Settings;
use crate::registry::transport::{Payload, Redirects, Request, Response, Secret, Transport};
use crate::testing::test_registry::TestRegistry;

pub(super) const TOKEN: &str = "Bearer s3cret-t0ken";

/// A transport with what it said.
pub(super) struct Desk {
    pub(super) transport: Transport,
    pub(super) notes: Notes,
}

impl Desk {
    pub(super) fn new() -> Desk {
        Desk::with(&Settings::default())
    }

    pub(super) fn with(settings: &Settings) -> Desk {
        let notes = Notes::recorded();
        let listeners = Listeners {
            notes: notes.clone(),
            transfers: Transfers::unwatched(),
        };
        Desk {
            transport: Transport::new(settings, &listeners),
            notes,
        }
    }

    /// One whose silences end soon.
    pub(super) fn hurried() -> Desk {
        let mut desk = Desk::new();
        desk.transport.times.header = Duration::from_millis(40);
        desk.transport.times.idle = Duration::from_millis(40);
        desk.transport.times.connect = Duration::from_millis(400);
        desk
    }

    pub(super) async fn send(&self, request: Request) -> Result<Response, Error> {
        self.transport.send(request, &mut Patience::hasty()).await
    }

    /// The status of a GET of a path below a registry's base.
    pub(super) async fn get(&self, registry: &str, path: &str) -> Result<u16, Error> {
        let base = self.transport.base(registry).await?;
        let url = base.join(path).expect("a URL");
        let response = self.send(request("GET", registry, url.as_str())).await?;
        Ok(response.status())
    }
}

pub(super) fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

/// A request with the secret of the registry that it goes to.
pub(super) fn request(method: &str, registry: &str, to: &str) -> Request {
    let own = Url::parse(&format!("{}://{registry}/", url(to).scheme())).expect("a URL");
    Request {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        url: url(to),
        headers: HeaderMap::new(),
        payload: Payload::Nothing,
        redirects: Redirects::Follow,
        secret: Some(Secret {
            origin: Origin::of(&own).expect("an origin"),
            value: HeaderValue::from_static(TOKEN),
        }),
        registry: registry.to_owned(),
    }
}

/// A request to a path of a test registry.
pub(super) fn to(registry: &TestRegistry, method: &str, path: &str) -> Request {
    request(
        method,
        &registry.host(),
        &format!("{}{path}", registry.origin()),
    )
}

/// Message, reasons and hints.
pub(super) fn told(error: &Error) -> String {
    let fault = error.fault();
    let parts = [
        vec![fault.to_string()],
        fault.reasons().to_vec(),
        fault.hints().to_vec(),
    ];
    parts.concat().join("\n")
}

/// A server that answers the first bytes of each connection with the next of some texts, the last one again and again.
pub(super) struct Parrot {
    pub(super) host: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Parrot {
    pub(super) async fn saying(texts: &[&[u8]]) -> Parrot {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let host = listener.local_addr().expect("bound").to_string();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
        tokio::spawn(repeat(listener, texts, Arc::clone(&heard)));
        Parrot { host, heard }
    }

    /// What each connection began with.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("test").clone()
    }
}

async fn repeat(listener: TcpListener, texts: Vec<Vec<u8>>, heard: Arc<Mutex<Vec<String>>>) {
    let mut number = 0;
    while let Ok((connection, _)) = listener.accept().await {
        let text = texts[number.min(texts.len() - 1)].clone();
        number += 1;
        answer(connection, &text, &heard).await;
    }
}

async fn answer(mut connection: TcpStream, text: &[u8], heard: &Mutex<Vec<String>>) {
    let mut first = vec![0; 4096];
    let size = connection.read(&mut first).await.unwrap_or(0);
    heard
        .lock()
        .expect("test")
        .push(String::from_utf8_lossy(&first[..size]).into_owned());
    let _ = connection.write_all(text).await;
    let _ = connection.shutdown().await;
}

/// A port that nobody listens on.
pub(super) async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    listener.local_addr().expect("bound").to_string()
}
