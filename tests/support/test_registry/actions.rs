//! What can be done to a request instead of answering it well.

use std::fmt;
use std::sync::Arc;

use super::answer::Answer;

#[derive(Clone)]
pub(crate) enum Action {
    /// What the specification says.
    Pass,
    /// The same, with headers set over those of the answer: `("connection", "close")`, a wrong `content-length`.
    PassWith { headers: Vec<(String, String)> },
    /// The same, changed by the test.
    Change(Change),
    /// The request is obeyed; the connection ends without an answer.
    PassThenClose,
    /// A status with the body that registries send with it; nothing is done.
    Status(u16),
    /// An answer by hand; `content-length` is added unless it is there.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// As `Answer`, while the body of the request is still on its way; the body is read afterwards.
    AnswerEarly {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Waits this many milliseconds before the body of the request is read.
    Delay(u64, Box<Action>),
    /// The whole head of a good answer and so many bytes of its body, then the connection ends in order.
    TruncateBody(u64),
    /// The same, but then nothing happens until the client goes.
    StallBody(u64),
    /// The connection is torn after so many bytes of the request's body were read; an upload keeps them.
    ResetAfterRequestBytes(u64),
    /// The request is obeyed; the connection is torn after the head of the answer and so many bytes of its body.
    ResetAfterResponseBytes(u64),
    /// The whole request is read and not obeyed; the connection ends in order.
    CloseWithoutAnswer,
    /// These bytes instead of an answer, then the connection ends in order.
    Raw(Vec<u8>),
    /// Status and headers, then a body in chunks until the client has enough.
    Endless {
        status: u16,
        headers: Vec<(String, String)>,
    },
}

/// What a test does to an answer.
#[derive(Clone)]
pub(crate) struct Change(pub(super) Arc<dyn Fn(&mut Answer) + Send + Sync>);

impl Action {
    /// Answers well, but for what `change` does to it.
    pub(crate) fn change(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Action {
        Action::Change(Change(Arc::new(change)))
    }

    /// An answer by hand with text for a body.
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
        Action::Answer {
            status,
            headers: owned(headers),
            body: body.as_bytes().to_vec(),
        }
    }

    /// A good answer with headers set over its own.
    pub(crate) fn pass_with(headers: &[(&str, &str)]) -> Action {
        Action::PassWith {
            headers: owned(headers),
        }
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

impl fmt::Debug for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Change")
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Status(status) => write!(out, "Status({status})"),
            Action::Delay(time, action) => write!(out, "Delay({time}, {action:?})"),
            _ => out.write_str("Action"),
        }
    }
}
