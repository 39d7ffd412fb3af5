//! Finding out by the request itself whether a registry speaks http or https.

use reqwest::{Method, Url};

use crate::registry::transport::trouble::{Kind, Trouble};
use crate::registry::transport::{Payload, Request, Response, Transport, scheme};

impl Transport {
    /// Sends a request to one place, in the other scheme if the first one is not spoken there and both are allowed.
    pub(super) async fn speak(&self, request: &mut Request, url: Url) -> Result<Response, Trouble> {
        let own = scheme::is_own(&request.registry, &url);
        let trust = self.trusts.of(&request.registry);
        if url.scheme() == "https" && !scheme::may_fall_back(&request.registry, &trust) {
            return self.follow(request, url).await;
        }
        match self.schemes.of(&request.registry, &trust) {
            [first, second] if own => self.find_out(request, &url, (first, second)).await,
            [scheme] if own => {
                let url = scheme::switched(&request.registry, &url, scheme)?;
                self.exchange(request, url).await
            }
            _ => self.exchange(request, url).await,
        }
    }

    /// Goes where an answer leads, in the scheme that it names: a registry that sends us to its own https speaks that from now on.
    pub(super) async fn follow(
        &self,
        request: &mut Request,
        url: Url,
    ) -> Result<Response, Trouble> {
        let is_better = url.scheme() == "https" && scheme::is_own(&request.registry, &url);
        let response = self.exchange(request, url).await?;
        if is_better {
            self.schemes.settle(&request.registry, &response.url);
        }
        Ok(response)
    }

    async fn find_out(
        &self,
        request: &mut Request,
        url: &Url,
        (first, second): (&str, &str),
    ) -> Result<Response, Trouble> {
        let doubtful = match self.ask(request, url, first).await {
            Err(trouble) if is_mute(&trouble, url) => Err(trouble),
            Ok(response) if is_wordless(request, &response) => Ok(response),
            answer => return answer,
        };
        // A stream is spent.
        if matches!(request.payload, Payload::Stream(..)) {
            return doubtful;
        }
        match self.ask(request, url, second).await {
            Err(trouble) if is_mute(&trouble, url) => doubtful,
            answer => answer,
        }
    }

    /// Tries one scheme; whatever answers in it is remembered, unless it may be no answer of a registry.
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
        if !is_wordless(request, &response) {
            self.schemes.settle(&registry, &response.url);
        }
        Ok(response)
    }
}

/// Whether a TLS port could have said this, whose sentence is not heard in the answer to a HEAD.
fn is_wordless(request: &Request, response: &Response) -> bool {
    let is_plain = response.url.scheme() == "http";
    is_plain && request.method == Method::HEAD && response.status() == 400
}

/// Whether the other scheme may be spoken instead; where no port is named, it has a port of its own.
fn is_mute(trouble: &Trouble, url: &Url) -> bool {
    match trouble.kind {
        Kind::Garbled => true,
        Kind::ClosedDoor => url.port().is_none(),
        Kind::Final | Kind::Passing => false,
    }
}
