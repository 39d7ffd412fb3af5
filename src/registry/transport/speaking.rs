//! Finding out by the request itself whether a registry speaks http or https.

use reqwest::Url;

use crate::registry::transport::trouble::{Kind, Trouble};
use crate::registry::transport::{Payload, Request, Response, Transport, scheme};

impl Transport {
    /// Sends a request to one place, in the other scheme if the first one is not spoken there and both are allowed.
    pub(super) async fn speak(&self, request: &mut Request, url: Url) -> Result<Response, Trouble> {
        let own = scheme::is_own(&request.registry, &url);
        let schemes = self
            .schemes
            .of(&request.registry, &self.trusts.of(&request.registry));
        match schemes {
            [first, second] if own => self.find_out(request, &url, (first, second)).await,
            [scheme] if own => {
                let url = scheme::switched(&request.registry, &url, scheme)?;
                self.exchange(request, url).await
            }
            _ => self.exchange(request, url).await,
        }
    }

    async fn find_out(
        &self,
        request: &mut Request,
        url: &Url,
        (first, second): (&str, &str),
    ) -> Result<Response, Trouble> {
        let unclear = match self.ask(request, url, first).await {
            Err(trouble) if is_mute(&trouble, url) => Err(trouble),
            Ok(answer) if answer.may_ask_for_tls() => Ok(answer),
            answer => return answer,
        };
        // A stream is spent.
        if matches!(request.payload, Payload::Stream(..)) {
            return unclear;
        }
        match self.ask(request, url, second).await {
            Err(trouble) if is_mute(&trouble, url) => unclear,
            answer => answer,
        }
    }

    /// Tries one scheme; whatever answers in it is remembered, unless it may be a port of TLS that says so.
    async fn ask(
        &self,
        request: &mut Request,
        url: &Url,
        scheme: &str,
    ) -> Result<Response, Trouble> {
        let registry = request.registry.clone();
        let url = scheme::switched(&registry, url, scheme)?;
        let mut response = self.exchange(request, url).await?;
        if response.asks_for_tls().await {
            let error = response.refused("http is not spoken there").await;
            return Err(Trouble {
                kind: Kind::Garbled,
                error,
            });
        }
        if !response.may_ask_for_tls() {
            self.schemes.settle(&registry, &response.url);
        }
        Ok(response)
    }
}

/// Whether the other scheme may be spoken instead; where no port is named, it has a port of its own.
fn is_mute(trouble: &Trouble, url: &Url) -> bool {
    match trouble.kind {
        Kind::Garbled => true,
        Kind::ClosedDoor => url.port().is_none(),
        Kind::Final | Kind::Passing => false,
    }
}
