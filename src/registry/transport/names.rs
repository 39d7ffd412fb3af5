//! Addresses of names, as the system knows them.
//!
//! `localhost` and the names below it are this machine and are never asked for (RFC 6761): http is spoken there,
//! so nobody else may decide where they lead.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::registry::inward::is_localhost;

pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { Ok(addresses(name.as_str()).await?) })
    }
}

async fn addresses(name: &str) -> io::Result<Addrs> {
    if is_localhost(name) {
        let here = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        ];
        return Ok(Box::new(here.into_iter()));
    }
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    Ok(Box::new(found.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_names_are_this_machine_and_no_other() {
        for name in ["localhost", "registry.localhost", "LOCALHOST."] {
            let found: Vec<SocketAddr> = addresses(name).await.expect("known").collect();
            assert!(
                found.len() == 2 && found.iter().all(|it| it.ip().is_loopback()),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_an_error() {
        assert!(addresses("nobody.invalid").await.is_err());
    }
}
