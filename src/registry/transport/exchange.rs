//! One try of a request: its hops from redirect to redirect, and what is sent and looked at in each.

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Url};

use crate::registry::error::{Cause, Error};
use crate::registry::origin::shown;
use crate::registry::transport::decoding::Decoder;
use crate::registry::transport::limits::{HEADERS, HOPS};
use crate::registry::transport::trouble::{Tried, Trouble};
use crate::registry::transport::trust::{Trust, authority};
use crate::registry::transport::upload_body::{Pulse, UploadBody};
use crate::registry::transport::{
    Payload, Redirects, Request, Response, Secret, Transport, scheme,
};

impl Transport {
    /// Follows redirects to an answer; that of a stream comes back as it is.
    pub(super) async fn attempt(&self, request: &mut Request) -> Result<Response, Trouble> {
        let mut response = self.speak(request, request.url.clone()).await?;
        let mut seen = Vec::new();
        while let Some(next) = next(request, &response)? {
            seen.push(response.url);
            response = self.follow(request, check_hop(&seen, next)?).await?;
        }
        Ok(response)
    }

    /// Sends a request to one place and waits for its answer.
    pub(super) async fn exchange(
        &self,
        request: &mut Request,
        url: Url,
    ) -> Result<Response, Trouble> {
        let proxy = self.proxies.of(&url)?;
        let client = self
            .clients
            .of(&url, || self.trust(&request.registry, &url), self.times)?;
        let secret = request.secret.clone().filter(|secret| secret.is_for(&url));
        let pulse = Pulse::new(self.times.connect + self.times.header);
        let built = self.built(&client, request, (&url, secret.as_ref()), &pulse);
        let tried = Tried {
            method: &request.method,
            url: &url,
            proxy: proxy.as_ref(),
            times: self.times,
        };
        let answer = pulse
            .watch(built.send())
            .await
            .ok_or_else(|| tried.silence())?;
        let answer = answer.map_err(|error| tried.failure(&error))?;
        if answer.status() == 407 {
            return Err(tried.unknown_to_proxy());
        }
        self.accepted(request, (url, secret), answer)
    }

    fn trust(&self, registry: &str, url: &Url) -> Trust {
        match scheme::is_own(registry, url) {
            true => {
                let note = self.trusts.unchecked(registry);
                note.into_iter().for_each(|note| self.notes.say(note));
                self.trusts.of(registry)
            }
            false => self.trusts.of_other(registry, url),
        }
    }

    fn built(
        &self,
        client: &Client,
        request: &mut Request,
        (url, secret): (&Url, Option<&Secret>),
        pulse: &Pulse,
    ) -> RequestBuilder {
        let mut headers = request.headers.clone();
        headers.insert(ACCEPT_ENCODING, "identity".parse().expect("a value"));
        headers.remove(AUTHORIZATION);
        headers.extend(secret.map(|secret| (AUTHORIZATION, secret.value.clone())));
        headers.extend(self.cookies.of(url).map(|cookies| (COOKIE, cookies)));
        let body = self.body(&mut request.payload, pulse);
        let is_empty_upload =
            body.is_none() && [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
        // hyper does not say it of an empty body, and some front ends answer 411 then.
        if is_empty_upload {
            headers.insert(CONTENT_LENGTH, 0.into());
        }
        let built = client
            .request(request.method.clone(), url.clone())
            .headers(headers);
        match body {
            Some(body) => built.body(reqwest::Body::wrap(body)),
            None => built,
        }
    }

    /// Takes a stream away; bytes stay for another try. Nothing is no body.
    fn body(&self, payload: &mut Payload, pulse: &Pulse) -> Option<UploadBody> {
        let (size, body) = match payload {
            Payload::Nothing => return None,
            Payload::Bytes(bytes) => (bytes.len() as u64, bytes.clone().into()),
            Payload::Stream(size, body) => (*size, std::mem::take(body)),
        };
        (size > 0).then(|| UploadBody::new((size, body), pulse, self.times))
    }

    fn accepted(
        &self,
        request: &Request,
        (url, secret): (Url, Option<Secret>),
        mut inner: reqwest::Response,
    ) -> Result<Response, Trouble> {
        check_size(&url, inner.headers())?;
        self.warnings
            .say(&authority(&url), inner.headers(), &self.notes);
        self.cookies.keep(&url, inner.headers());
        let decoder = Decoder::for_headers(inner.status().as_u16(), inner.headers_mut())?;
        Ok(Response {
            inner,
            url,
            method: request.method.clone(),
            secret,
            ahead: None,
            decoder,
            times: self.times,
            notes: self.notes.clone(),
        })
    }
}

/// Where an answer sends the request on to.
fn next(request: &Request, response: &Response) -> Result<Option<Url>, Error> {
    let redirects = matches!(response.status(), 301..=303 | 307 | 308);
    match (redirects, &request.payload, request.redirects) {
        (false, ..) | (_, Payload::Stream(..), _) => Ok(None),
        (_, _, Redirects::Follow) => response.redirection(),
        (_, _, Redirects::Refuse) => {
            let problem = format!(
                "`{}` sends us elsewhere, which is not followed here",
                shown(&response.url)
            );
            Err(Error::new(Cause::Protocol, problem))
        }
    }
}

fn check_hop(seen: &[Url], next: Url) -> Result<Url, Error> {
    let first = shown(&seen[0]);
    if seen.contains(&next) {
        return Err(
            Error::new(Cause::Protocol, format!("`{first}` redirects in a circle"))
                .because(format!("to `{}` again", shown(&next))),
        );
    }
    if seen.len() > HOPS {
        return Err(Error::new(
            Cause::Protocol,
            format!("`{first}` redirects more than {HOPS} times"),
        ));
    }
    Ok(next)
}

fn check_size(url: &Url, headers: &HeaderMap) -> Result<(), Error> {
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size <= HEADERS {
        return Ok(());
    }
    let problem = format!(
        "the headers that `{}` answers with take more than {HEADERS} bytes",
        shown(url)
    );
    Err(Error::new(Cause::Protocol, problem))
}
