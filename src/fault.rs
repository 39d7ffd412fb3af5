//! What went wrong, told so that a person can mend it: message, reasons, hints and the exit code.
//!
//! Every error that a user can cause or cure is a [`Fault`]; other errors travel as plain `anyhow` errors and end with code 1.
//! This file never prints and never exits: only `cli/report` does.

use std::fmt;

/// The class of a fault; its value is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything without a class of its own.
    Other = 1,
    /// Wrong usage or configuration, or the plan refused.
    Refused = 2,
    /// Cargo failed; its own diagnostics have been shown.
    Cargo = 3,
    /// Offline, and something that is needed is not on this machine.
    Offline = 4,
    /// Bytes did not match their digest, or a document is not what it claims to be.
    Integrity = 5,
    /// A registry does not know us, or does not let us.
    Authentication = 6,
    /// A registry, or the network on the way to it.
    Registry = 7,
    /// The disk, the file system's permissions or a limit of ours.
    Disk = 8,
}

/// An error for people: lower case, no full stop, the thing in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    message: String,
    because: Vec<String>,
    hints: Vec<String>,
}

impl Fault {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Fault {
        Fault {
            kind,
            message: message.into(),
            because: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A refusal: wrong usage or configuration, or a plan that cannot be carried out.
    pub(crate) fn refused(message: impl Into<String>) -> Fault {
        Fault::new(Kind::Refused, message)
    }

    /// Bytes that are not what their name says.
    pub(crate) fn integrity(message: impl Into<String>) -> Fault {
        Fault::new(Kind::Integrity, message)
    }

    /// Adds one reason; reasons are printed in the order in which they were added.
    pub(crate) fn because(mut self, reason: impl Into<String>) -> Fault {
        self.because.push(reason.into());
        self
    }

    /// Adds one way out, a command where there is one; hints are printed last.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn reasons(&self) -> &[String] {
        &self.because
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// The message alone; reasons and hints are data for the report.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_reasons_and_hints_in_order_beside_the_message() {
        let fault = Fault::refused("no")
            .because("first")
            .because("second")
            .hint("mend");
        assert_eq!(fault.to_string(), "no");
        assert_eq!(fault.reasons(), ["first", "second"]);
        assert_eq!(fault.hints(), ["mend"]);
        assert_eq!(fault.kind as i32, 2);
    }
}
