//! What nobody may read is taken out of every text that leaves this room: registries repeat what they were told, in warnings, in
//! locations, in whatever an error quotes.
//!
//! The last door: what knows a secret keeps it out of its own words all the same. Nothing is ever read out of here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::notes::Notes;
use crate::registry::error::Error;

/// A shorter word stands in too many texts by chance.
const SHORTEST: usize = 4;

/// The words that were secrets in this run; clones know the same.
#[derive(Clone, Default)]
pub(super) struct Veil(Arc<Mutex<BTreeSet<String>>>);

impl Veil {
    pub(super) fn learn(&self, words: impl IntoIterator<Item = String>) {
        let words = words.into_iter().filter(|word| word.len() >= SHORTEST);
        self.0.lock().expect("nobody panics with it").extend(words);
    }

    /// The text with `***` for each of them, the longest first: one may be a part of another. So is one that it ends within.
    fn over(&self, text: &str) -> String {
        let words = self.0.lock().expect("nobody panics with it");
        let mut words: Vec<&String> = words.iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let end = words.iter().find_map(|word| begun(text, word));
        let text = end.map_or(text.to_owned(), |end| format!("{}***", &text[..end]));
        let veiled = words.into_iter();
        veiled.fold(text, |text, word| text.replace(word, "***"))
    }

    pub(super) fn over_error(&self, error: &Error) -> Error {
        error.with_text(|text| self.over(text))
    }

    /// Notes that say no secret.
    pub(super) fn over_notes(&self, notes: &Notes) -> Notes {
        let (veil, notes) = (self.clone(), notes.clone());
        Notes::to(move |sentence| notes.say(veil.over(sentence)))
    }
}

/// Where a word begins that `text` ends within: texts of registries are cut before they come here.
fn begun(text: &str, word: &str) -> Option<usize> {
    let beginnings = word.char_indices().rev().map(|(end, _)| &word[..end]);
    beginnings
        .take_while(|beginning| beginning.len() >= SHORTEST)
        .find(|beginning| text.ends_with(beginning))
        .map(|beginning| text.len() - beginning.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::error::Cause;

    fn veil() -> Veil {
        let veil = Veil::default();
        veil.learn(["geheim", "geheimnis", "abc", ""].map(str::to_owned));
        veil
    }

    #[test]
    fn a20_a_secret_is_taken_out_of_messages_reasons_hints_and_notes() {
        let error = Error::new(Cause::Denied, "no geheim")
            .because("geheimnis/geheim")
            .hint("say `geheim`");
        let told = veil().over_error(&error).fault();
        assert_eq!(told.to_string(), "no ***");
        assert_eq!(told.reasons(), ["***/***"]);
        assert_eq!(told.hints(), ["say `***`"]);
        assert_eq!(told.kind, error.fault().kind);
        let notes = Notes::recorded();
        veil().over_notes(&notes).say("r.example warns: geheim");
        assert_eq!(notes.all(), ["r.example warns: ***"]);
    }

    #[test]
    fn a20_the_beginning_of_a_secret_where_a_text_was_cut_is_taken_out_too() {
        for (text, veiled) in [
            ("you sent gehei", "you sent ***"),
            ("you sent geheimni", "you sent ***"),
            ("you sent geh", "you sent geh"),
            ("gehei is no end", "gehei is no end"),
            ("gehe", "***"),
            ("", ""),
        ] {
            assert_eq!(veil().over(text), veiled);
        }
        let wide = Veil::default();
        wide.learn(["ééééé".to_owned()]);
        assert_eq!(wide.over("a ééé"), "a ***");
    }

    #[test]
    fn what_is_too_short_or_unknown_stays() {
        assert_eq!(veil().over("abc, a secret"), "abc, a secret");
        let clone = veil();
        clone.clone().learn(["a secret".to_owned()]);
        assert_eq!(clone.over("abc, a secret"), "abc, ***");
    }
}
