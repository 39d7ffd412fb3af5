//! What is wrong with one value, before it is known where the value stands.
//!
//! An objection never repeats the value of a variable, a label or an image name that may hold a password.

use crate::fault::Fault;

/// A sentence that follows the name of the key or channel, with reasons and ways out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Objection {
    message: String,
    because: Option<String>,
    hint: Option<String>,
}

impl Objection {
    pub(super) fn new(message: impl Into<String>) -> Objection {
        Objection {
            message: message.into(),
            ..Objection::default()
        }
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Objection {
        self.because = Some(reason.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Objection {
        self.hint = Some(hint.into());
        self
    }

    /// "did you mean", where there is something near.
    pub(super) fn meant(self, near: Option<&str>) -> Objection {
        match near {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Says what was expected where a rule has nothing more exact to say.
    pub(super) fn expected(mut self, what: &str, found: &str) -> Objection {
        if self.message.is_empty() {
            self.message = match found {
                "" => format!("expected {what}, found an empty text"),
                found => format!("expected {what}, found `{}`", shown(found)),
            };
        }
        self
    }

    /// Names the key or the channel that holds the value; `place` goes into the message as it is.
    pub(super) fn at(mut self, place: &str) -> Objection {
        if !place.is_empty() {
            self.message = format!("`{place}`: {}", self.message);
        }
        self
    }

    /// A refusal (exit code 2), led by `file:line:column` or by nothing.
    pub(super) fn fault(self, location: &str) -> Fault {
        let mut fault = Fault::refused(format!("{location}{}", self.message));
        if let Some(reason) = self.because {
            fault = fault.because(reason);
        }
        match self.hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

/// A word of the file as a message may repeat it: short and escaped.
pub(super) fn shown(word: &str) -> String {
    let cut: String = word.chars().take(80).collect();
    let more = if cut.len() < word.len() { "…" } else { "" };
    escaped(&cut) + more
}

/// The text with control characters and marks of direction escaped, but not its quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => safe.push(c),
            c => safe.extend(c.escape_debug()),
        }
    }
    safe
}
