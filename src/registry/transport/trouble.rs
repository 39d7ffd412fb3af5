//! Why there was no answer, told from the errors of the layers below, and whether another try may mend it.

use std::error::Error as Source;
use std::io;

use reqwest::{Method, Url};

use crate::registry::error::{Cause, Error};
use crate::registry::origin::shown;
use crate::registry::transport::limits::Times;
use crate::registry::transport::proxy;
use crate::registry::transport::tls_trouble;
use crate::registry::transport::trust::authority;

/// A request that was not answered.
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) error: Error,
}

impl Trouble {
    /// For whoever would begin anew when a connection is lost: what no other try can mend has another cause.
    pub(super) fn of_a_stream(self) -> Error {
        match (self.kind, self.error.cause) {
            (Kind::Final, Cause::Unreachable) => self.error.with_cause(Cause::Protocol),
            _ => self.error,
        }
    }
}

/// What can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: the same would happen again.
    Final,
    /// Nobody listens, or the name has no address: little hope.
    ClosedDoor,
    /// Something was there and went away.
    Passing,
    /// As [`Kind::Passing`], unless the other scheme is spoken there.
    Garbled,
}

/// What was tried.
pub(super) struct Tried<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) proxy: Option<&'a Url>,
    pub(super) times: Times,
}

impl Tried<'_> {
    /// The error for a request that nobody answered in time.
    pub(super) fn silence(&self) -> Trouble {
        let reason = format!("no answer within {} s", self.times.header.as_secs_f32());
        self.trouble(Kind::Passing, &reason)
    }

    pub(super) fn failure(&self, error: &reqwest::Error) -> Trouble {
        if let Some(own) = causes(error).find_map(|cause| cause.downcast_ref::<Error>()) {
            return own.clone().into();
        }
        if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return tls_trouble::explain(tls, self);
        }
        if error.is_dns() {
            let host = self.looked_up();
            return self.trouble(
                Kind::ClosedDoor,
                &format!("there is no address for `{host}`: {}", root(error)),
            );
        }
        self.connection(error)
    }

    fn connection(&self, error: &reqwest::Error) -> Trouble {
        let is_refused = io_kinds(error).any(|kind| kind == io::ErrorKind::ConnectionRefused);
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => {
                let reason = format!(
                    "no connection within {} s",
                    self.times.connect.as_secs_f32()
                );
                self.trouble(Kind::Passing, &reason)
            }
            (true, _) if is_refused => self.trouble(Kind::ClosedDoor, "connection refused"),
            (true, _) if self.proxy.is_some() => self.tunnel(&root(error)),
            _ => self.trouble(Kind::Garbled, &root(error)),
        }
    }

    /// hyper-util has no type for it: a proxy that wants to know who we are says so in these words.
    fn tunnel(&self, reason: &str) -> Trouble {
        match reason.contains("proxy authorization required") {
            true => self.unknown_to_proxy(),
            false => self.trouble(Kind::Passing, reason),
        }
    }

    pub(super) fn unknown_to_proxy(&self) -> Trouble {
        let reason = "the proxy does not know us (status 407): its URL can hold `user:password@`";
        self.trouble(Kind::Final, reason)
    }

    /// Whose name had to be looked up.
    fn looked_up(&self) -> &str {
        self.proxy
            .unwrap_or(self.url)
            .host_str()
            .unwrap_or_default()
    }

    pub(super) fn trouble(&self, kind: Kind, reason: &str) -> Trouble {
        let message = format!("cannot get an answer from `{}`", authority(self.url));
        let error = Error::new(Cause::Unreachable, message).because(format!(
            "`{} {}`: {reason}",
            self.method,
            shown(self.url)
        ));
        let error = match self.proxy {
            None => error,
            Some(proxy) => error
                .because(format!("through the proxy `{}`", proxy::named(proxy)))
                .hint("see `HTTPS_PROXY` and `HTTP_PROXY`, or name the registry in `NO_PROXY`"),
        };
        Trouble { kind, error }
    }
}

/// What no other try can mend.
impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let kind = Kind::Final;
        Trouble { kind, error }
    }
}

/// An error and all below it; std's I/O errors hide the one that they wrap.
fn causes<'a>(
    error: &'a (dyn Source + 'static),
) -> impl Iterator<Item = &'a (dyn Source + 'static)> {
    std::iter::successors(Some(error), |error| below(*error))
}

fn below<'a>(error: &'a (dyn Source + 'static)) -> Option<&'a (dyn Source + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn io_kinds<'a>(error: &'a (dyn Source + 'static)) -> impl Iterator<Item = io::ErrorKind> + 'a {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

/// The innermost reason: the outer ones name URLs, which may hold secrets.
pub(super) fn root(error: &(dyn Source + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}
