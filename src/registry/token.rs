//! Tokens: asked for where a challenge says, with what the user gave us for the registry, or with nothing.
//!
//! GET with Basic (distribution, "Token Authentication Specification"); POST with an identity token ("OAuth 2"), and GET where a
//! server does not know that. One request for one token: no redirect is followed, no password is tried twice, and the clock of the
//! server is not believed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;

use crate::registry::auth::Means;
use crate::registry::credentials::Credential;
use crate::registry::error::{Cause, Error};
use crate::registry::origin::Origin;
use crate::registry::scope::Scopes;
use crate::registry::transport::{Payload, Redirects, Request, Response, Secret};

/// The largest answer with a token, in bytes.
const LARGEST: usize = 1 << 20;

/// The life of a token that does not say; of one that says zero too.
const LIFE: Duration = Duration::from_secs(60);

/// What must be left of a token for it to be used.
const MARGIN: Duration = Duration::from_secs(20);

/// A token, and what it was asked for.
#[derive(Clone)]
pub(super) struct Token {
    /// `Bearer …`, marked sensitive.
    pub(super) value: HeaderValue,
    pub(super) asked: Scopes,
    received: Instant,
    life: Duration,
}

impl Token {
    /// Whether less is left than an upload should begin with; a short life is used for half of it.
    pub(super) fn runs_out(&self, now: Instant) -> bool {
        let used = now.saturating_duration_since(self.received);
        used + MARGIN.min(self.life / 2) >= self.life
    }

    /// As if it had been received earlier.
    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.received = self
            .received
            .checked_sub(by)
            .expect("the clock runs long enough");
    }
}

/// Where tokens for a registry are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    /// Has been checked.
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    /// Whose settings hold for the requests.
    pub(super) registry: String,
}

impl Counter {
    /// One token for `scopes`, without a credential an anonymous one.
    pub(super) async fn token(
        &self,
        scopes: Scopes,
        credential: Option<&Credential>,
        means: &mut Means<'_>,
    ) -> Result<Token, Error> {
        let mut response = None;
        if let Some(Credential::Identity { token, .. }) = credential {
            let request = self.exchange(&scopes, token.reveal());
            response = self
                .understood(means.send(request).await?, credential)
                .await?;
        }
        let response = match response {
            Some(response) => response,
            None => {
                self.send(self.question(&scopes, credential)?, means)
                    .await?
            }
        };
        let received = Instant::now();
        if response.status() != 200 {
            return Err(self.refused(response, credential).await);
        }
        let bytes = response.bytes(LARGEST).await?;
        read(&bytes, (scopes, received)).map_err(|why| self.unusable(why))
    }

    async fn send(&self, request: Request, means: &mut Means<'_>) -> Result<Response, Error> {
        let why = || format!("tokens for `{}` come from there alone", self.registry);
        means
            .send(request)
            .await
            .map_err(|error| error.because(why()))
    }

    /// `None` from a server that does not know the exchange; it is asked in the other way.
    async fn understood(
        &self,
        response: Response,
        credential: Option<&Credential>,
    ) -> Result<Option<Response>, Error> {
        match response.status() {
            404 | 405 => Ok(None),
            // RFC 6749, 5.2: that the token is no good any more is a 400 too.
            400 => {
                let bytes = response.bytes(LARGEST).await?;
                let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                match answer["error"].as_str() {
                    Some("invalid_grant") => Err(self.denied(400, credential)),
                    _ => Ok(None),
                }
            }
            _ => Ok(Some(response)),
        }
    }

    fn question(&self, scopes: &Scopes, credential: Option<&Credential>) -> Result<Request, Error> {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(self.service.iter().map(|service| ("service", service)));
            query.extend_pairs(scopes.words().map(|word| ("scope", word)));
        }
        // A realm without a query, asked for nothing, stays without one.
        if url.query() == Some("") {
            url.set_query(None);
        }
        let secret = match credential {
            Some(credential) => Some(bound(&url, credential.header().reveal())?),
            None => None,
        };
        Ok(Request {
            secret,
            ..self.request(Method::GET, url)
        })
    }

    fn exchange(&self, scopes: &Scopes, token: &str) -> Request {
        let mut form = self.realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .extend_pairs(self.service.iter().map(|service| ("service", service)))
            .append_pair("client_id", "rbuild")
            .append_pair("scope", &scopes.words().collect::<Vec<_>>().join(" "))
            .append_pair("refresh_token", token);
        let body = Bytes::from(form.query().unwrap_or_default().to_owned());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Request {
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            payload: Payload::Bytes(body),
            ..self.request(Method::POST, self.realm.clone())
        }
    }

    fn request(&self, method: Method, url: Url) -> Request {
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            payload: Payload::Nothing,
            redirects: Redirects::Refuse,
            secret: None,
            registry: self.registry.clone(),
        }
    }

    async fn refused(&self, response: Response, credential: Option<&Credential>) -> Error {
        let status = response.status();
        if (300..400).contains(&status) {
            return self.unusable("it sends us elsewhere, which is not followed");
        }
        let words = response.refused("asked for a token").await.fault();
        let scrub = |text: &str| credential.map_or(text.to_owned(), |one| one.scrub(text));
        let reasons = words.reasons().iter();
        reasons.fold(self.denied(status, credential), |error, reason| {
            error.because(scrub(reason))
        })
    }

    fn denied(&self, status: u16, credential: Option<&Credential>) -> Error {
        let whom = match credential {
            Some(credential) => credential.shown(),
            None => "those who do not say who they are".to_owned(),
        };
        let error = self.error(format!("`{}` gives no token to {whom}", self.host()));
        // Who may not do this may yet do less: it is no word about the password.
        let error = match status {
            403 => error.with_cause(Cause::Denied),
            _ => error,
        };
        error.because(format!("status {status}")).hint(format!(
            "`rbuild login {}` with a user name and password that are valid",
            self.registry
        ))
    }

    fn unusable(&self, why: &str) -> Error {
        let message = format!("`{}` gives no token that can be used", self.host());
        self.error(message).because(why)
    }

    fn error(&self, message: String) -> Error {
        Error::new(Cause::Unauthorized, message).because(format!(
            "`{}` accepts tokens from there alone",
            self.registry
        ))
    }

    fn host(&self) -> &str {
        self.realm.host_str().unwrap_or_default()
    }
}

/// A header for the origin of `url` alone.
pub(super) fn bound(url: &Url, value: &str) -> Result<Secret, Error> {
    let origin = Origin::of(url).ok_or_else(|| Error::new(Cause::Protocol, "no http URL"))?;
    let value = header(value).ok_or_else(|| {
        Error::new(
            Cause::Unauthorized,
            "the credentials cannot be written in a header",
        )
    })?;
    Ok(Secret { origin, value })
}

fn header(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `access_token` is preferred: where both are there, it is the one that was asked for.
fn read(bytes: &[u8], (asked, received): (Scopes, Instant)) -> Result<Token, &'static str> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|_| "its answer is not JSON")?;
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty());
    let token = text("access_token").or_else(|| text("token"));
    let token = token.ok_or("its answer has neither `access_token` nor `token`")?;
    let life = answer["expires_in"]
        .as_f64()
        .filter(|seconds| *seconds > 0.0);
    // A year is as good as for ever, and no sum overflows.
    let life = life.map(|seconds| Duration::from_secs_f64(seconds.min(31_536_000.0)));
    Ok(Token {
        value: header(&format!("Bearer {token}")).ok_or("its token holds control characters")?,
        asked,
        received,
        life: life.unwrap_or(LIFE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(answer: &str) -> Result<Token, &'static str> {
        read(answer.as_bytes(), (Scopes::default(), Instant::now()))
    }

    fn lasts(answer: &str, seconds: u64) -> bool {
        let token = given(answer).expect("a token");
        !token.runs_out(token.received + Duration::from_secs(seconds))
    }

    #[test]
    fn a06_either_name_of_a_token_is_taken_and_access_token_preferred() {
        let value = |answer| given(answer).expect("a token").value;
        assert_eq!(value(r#"{"access_token": "a"}"#), "Bearer a");
        assert_eq!(value(r#"{"token": "t", "x": []}"#), "Bearer t");
        assert_eq!(value(r#"{"token": "t", "access_token": "a"}"#), "Bearer a");
        assert_eq!(value(r#"{"token": "t", "access_token": ""}"#), "Bearer t");
        assert!(value(r#"{"token": "t"}"#).is_sensitive());
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"token": 1}"#,
            r#"{"token": "a\nb"}"#,
            "<html>",
        ] {
            assert!(given(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a21_a_token_is_renewed_while_twenty_seconds_are_left() {
        let hour = r#"{"token": "t", "expires_in": 3600, "issued_at": "1999-01-01T00:00:00Z"}"#;
        assert!(lasts(hour, 3579) && !lasts(hour, 3580));
        for unsaid in [
            r#"{"token": "t"}"#,
            r#"{"token": "t", "expires_in": 0}"#,
            r#"{"token": "t", "expires_in": -5}"#,
            r#"{"token": "t", "expires_in": "300"}"#,
        ] {
            assert!(lasts(unsaid, 39) && !lasts(unsaid, 40), "{unsaid}");
        }
        let short = r#"{"token": "t", "expires_in": 10}"#;
        assert!(
            lasts(short, 4) && !lasts(short, 5),
            "a new one would be as short"
        );
        assert!(lasts(r#"{"token": "t", "expires_in": 1e300}"#, 1_000_000));
    }
}
