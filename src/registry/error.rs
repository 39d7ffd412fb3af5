//! Why a registry could not do what it was asked.
//!
//! Text from a registry is cut and never holds a secret of ours; it is escaped where it is printed.

use std::fmt;

use crate::digest::Digest;
use crate::fault::{Fault, Kind};
use crate::store;

/// What callers branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// 404: no such repository, manifest, blob or upload.
    Absent,
    /// What is needed is neither on this machine nor where it is needed.
    Missing,
    /// 401 after everything was tried, or credentials that cannot be had.
    Unauthorized,
    /// 403.
    Denied,
    /// No answer that could be understood: name, connection, TLS, time.
    Unreachable,
    /// Another status.
    Status(u16),
    /// An answer that breaks the specification, or that we refuse to follow.
    Protocol,
    /// What a registry sent or says it has is not what its digest says.
    Integrity,
    /// Bytes on this machine that do not match their digest; they are in the quarantine now.
    Damaged,
    /// Beyond a limit of ours or the registry's.
    Limit,
    /// Settings that cannot be used: a certificate, a mirror, a proxy.
    Settings,
    /// The store, while bytes came in or went out.
    Store,
    /// The user asked to stop.
    Stopped,
}

/// A cause with what a person needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) cause: Cause,
    fault: Box<Fault>,
    damaged: Option<Digest>,
}

impl Error {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Error {
        let fault = Box::new(Fault::new(kind(cause), message));
        Error {
            cause,
            fault,
            damaged: None,
        }
    }

    /// The blob on this machine that does not match its digest, if that is what is wrong.
    pub(crate) fn damaged(&self) -> Option<Digest> {
        self.damaged
    }

    /// The same, for callers that would take it for something else.
    pub(super) fn with_cause(mut self, cause: Cause) -> Error {
        self.cause = cause;
        self
    }

    /// Adds one reason.
    pub(crate) fn because(mut self, reason: impl Into<String>) -> Error {
        self.fault = Box::new(self.fault.because(reason));
        self
    }

    /// Adds one way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.fault = Box::new(self.fault.hint(hint));
        self
    }

    /// The same in other words: `change` is given the message, each reason and each hint.
    pub(super) fn with_text(&self, change: impl Fn(&str) -> String) -> Error {
        let fault = &self.fault;
        let error = Error {
            damaged: self.damaged,
            cause: self.cause,
            fault: Box::new(Fault::new(fault.kind, change(&fault.to_string()))),
        };
        let reasons = fault.reasons().iter().map(|text| change(text));
        let hints = fault.hints().iter().map(|text| change(text));
        hints.fold(reasons.fold(error, Error::because), Error::hint)
    }

    pub(crate) fn fault(&self) -> Fault {
        (*self.fault).clone()
    }
}

fn kind(cause: Cause) -> Kind {
    match cause {
        Cause::Unauthorized | Cause::Denied => Kind::Authentication,
        Cause::Integrity | Cause::Damaged => Kind::Integrity,
        Cause::Limit | Cause::Store => Kind::Disk,
        Cause::Settings => Kind::Refused,
        Cause::Missing => Kind::Offline,
        Cause::Stopped => Kind::Other,
        Cause::Absent | Cause::Unreachable | Cause::Status(_) | Cause::Protocol => Kind::Registry,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(out)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        let fault = Box::new(error.fault());
        let cause = if fault.kind == Kind::Integrity {
            Cause::Damaged
        } else {
            Cause::Store
        };
        Error {
            cause,
            fault,
            damaged: error.damaged(),
        }
    }
}
