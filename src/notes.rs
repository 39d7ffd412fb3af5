//! What a stage wants said besides its result: notes, never errors.
//!
//! A stage gets a [`Notes`] and says its sentence; who listens, prints and escapes is decided by `cli/report`. Each sentence is said once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// A place to say sentences to; cheap to clone, shared between threads.
#[derive(Clone)]
pub(crate) struct Notes {
    listen: Arc<dyn Fn(&str) + Send + Sync>,
    said: Arc<Mutex<BTreeSet<String>>>,
}

impl Notes {
    /// Notes that go to `listen`.
    pub(crate) fn to(listen: impl Fn(&str) + Send + Sync + 'static) -> Notes {
        Notes {
            listen: Arc::new(listen),
            said: Arc::default(),
        }
    }

    /// Says one sentence: lower case, no full stop, the thing in backticks.
    pub(crate) fn say(&self, sentence: impl AsRef<str>) {
        let mut said = self.said.lock().expect("no listener panics");
        if said.insert(sentence.as_ref().to_owned()) {
            (self.listen)(sentence.as_ref());
        }
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Notes")
    }
}

#[cfg(test)]
impl Notes {
    /// Notes that are only remembered, for tests.
    pub(crate) fn recorded() -> Notes {
        Notes::to(|_| ())
    }

    /// All that was said, sorted.
    pub(crate) fn all(&self) -> Vec<String> {
        self.said
            .lock()
            .expect("no listener panics")
            .iter()
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_once() {
        let count = Arc::new(Mutex::new(0));
        let heard = Arc::clone(&count);
        let notes = Notes::to(move |_| *heard.lock().expect("test") += 1);
        notes.say("a");
        notes.say("a");
        notes.clone().say("b");
        assert_eq!(*count.lock().expect("test"), 2);
    }
}
