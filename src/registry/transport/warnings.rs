//! `Warning: 299 - "…"` headers (distribution specification, "Warnings"): each said once, and not too much in all.

use std::collections::BTreeSet;
use std::sync::Mutex;

use reqwest::header::{HeaderMap, WARNING};

use crate::notes::Notes;
use crate::registry::transport::limits::{WARNINGS, cut};

/// What has been said, and what may be said still.
#[derive(Debug)]
pub(super) struct Warnings {
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    sentences: BTreeSet<String>,
    left: usize,
}

impl Warnings {
    pub(super) fn new() -> Warnings {
        let sentences = BTreeSet::new();
        Warnings {
            said: Mutex::new(Said {
                sentences,
                left: WARNINGS,
            }),
        }
    }

    /// Says what is new among the warnings of an answer from `registry`.
    pub(super) fn say(&self, registry: &str, headers: &HeaderMap, notes: &Notes) {
        for value in headers.get_all(WARNING) {
            let value = String::from_utf8_lossy(value.as_bytes());
            if let Some(sentence) = text(&value).and_then(|text| self.fresh(registry, &text)) {
                notes.say(sentence);
            }
        }
    }

    fn fresh(&self, registry: &str, text: &str) -> Option<String> {
        let mut said = self.said.lock().expect("nothing panics here");
        let sentence = format!("`{registry}` warns: {text}");
        let sentence = cut(&sentence, said.left).to_owned();
        // What was cut away to its beginning says nothing.
        if sentence.len() <= registry.len() + 10 || !said.sentences.insert(sentence.clone()) {
            return None;
        }
        said.left -= sentence.len();
        Some(sentence)
    }
}

/// The text of `299 - "text"`, its escapes undone (RFC 7234, 5.5); `None` for another code or another shape.
fn text(value: &str) -> Option<String> {
    let rest = value.trim().strip_prefix("299 ")?.trim_start();
    let (_agent, quoted) = rest.split_once(' ')?;
    let mut characters = quoted.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text).filter(|text| !text.is_empty()),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(warnings: &Warnings, values: &[&str]) -> Vec<String> {
        let notes = Notes::recorded();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WARNING, value.parse().expect("a value"));
        }
        warnings.say("r.example", &headers, &notes);
        notes.all()
    }

    #[test]
    fn r36_each_warning_is_said_once_with_its_escapes_undone() {
        let warnings = Warnings::new();
        let values = [
            r#"299 - "your \"key\" is \\ old""#,
            r#"299 - "second""#,
            r#"299 - "second""#,
        ];
        let said = say(&warnings, &values);
        assert_eq!(
            said,
            [
                r#"`r.example` warns: second"#,
                r#"`r.example` warns: your "key" is \ old"#
            ]
        );
        assert_eq!(say(&warnings, &values), Vec::<String>::new());
    }

    #[test]
    fn other_codes_and_other_shapes_are_left_out() {
        for value in [
            "199 - \"x\"",
            "299 \"x\"",
            "299 - x",
            "299 - \"x",
            "299 - \"\"",
            "299",
            "",
            "299 - \"x\\",
        ] {
            assert_eq!(
                say(&Warnings::new(), &[value]),
                Vec::<String>::new(),
                "{value}"
            );
        }
    }

    #[test]
    fn r36_fifty_long_warnings_take_four_kib_and_no_more() {
        let values: Vec<String> = (0..50)
            .map(|number| format!("299 - \"{number} {}\"", "é".repeat(500)))
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let warnings = Warnings::new();
        let said: usize = say(&warnings, &values).iter().map(String::len).sum();
        assert!((4_000..=4096).contains(&said), "{said}");
        assert!(say(&warnings, &["299 - \"late\""]).is_empty());
    }
}
