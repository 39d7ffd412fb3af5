//! Answers on `PORT` (default 8080) until it gets SIGTERM or Ctrl-C.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let routes = Router::new()
        .route("/", get(|| async { "hello from rbuild\n" }))
        .route("/healthz", get(|| async { "ok\n" }));
    let listener = TcpListener::bind(("0.0.0.0", port())).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop)
        .await
}

fn port() -> u16 {
    let text = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    text.parse().expect("PORT is a number from 0 to 65535")
}
