//! Every key against every wrong kind of value, and every key misspelt: generated from the table, so none is forgotten.

use serde_json::Value;
use serde_json::json;

use super::refusal;
use crate::config::keys;
use crate::config::keys::Key;
use crate::config::keys::Shape;
use crate::config::rules::Rule;

/// Every object of the file: its keys, the path of its entries, and how it is wrapped to be a whole file.
type Object = (&'static [Key], &'static str, fn(Value) -> Value);

fn objects() -> [Object; 5] {
    [
        (&keys::ROOT, "", |object| object),
        (
            &keys::REGISTRY,
            "registries.r.example.",
            |object| json!({"registries": {"r.example": object}}),
        ),
        (
            &keys::BUILD,
            "builds[0].",
            |object| json!({"builds": [object]}),
        ),
        (
            &keys::IMAGE,
            "builds[0].image.",
            |object| json!({"builds": [{"image": object}]}),
        ),
        (
            &keys::ASSET,
            "builds[0].assets[0].",
            |object| json!({"builds": [{"assets": [object]}]}),
        ),
    ]
}

/// A file that holds `value` under one key, and the path of that key.
fn cases(wrong: fn(Shape) -> Vec<Value>) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for (keys, path, wrap) in objects() {
        for key in keys {
            let files = wrong(key.shape).into_iter();
            cases.extend(files.map(|value| {
                let file = wrap(json!({key.name: value})).to_string();
                (file, format!("{path}{}", key.name))
            }));
        }
    }
    cases
}

/// Kinds of values that do not belong behind a key of this shape.
fn wrong_kinds(shape: Shape) -> Vec<Value> {
    let (text, number) = (json!("text"), json!(7));
    let (list, object) = (json!(["x"]), json!({"x": "y"}));
    let mut wrong = vec![json!(null), json!(1.5)];
    if !matches!(shape, Shape::Truth) {
        wrong.push(json!(true));
    }
    match shape {
        Shape::Truth => wrong.extend([text, number, list, object, json!("yes")]),
        Shape::Text(Rule { number: true, .. }) => wrong.extend([list, object]),
        Shape::Text(_) => wrong.extend([number, list, object]),
        Shape::Texts(_) | Shape::SomeTexts(_) | Shape::Objects(_) => {
            wrong.extend([text, number, object]);
        }
        Shape::Map(..) | Shape::Lists(..) | Shape::Object(_) | Shape::NamedObjects(..) => {
            wrong.extend([text, number, list]);
        }
    }
    wrong
}

#[test]
fn every_key_refuses_every_kind_of_value_but_its_own() {
    for (file, path) in cases(wrong_kinds) {
        let words = refusal(&file);
        assert!(
            words.contains(&format!("`{path}`: expected ")),
            "{file}: {words}"
        );
        assert!(words.contains(", found "), "{file}: {words}");
    }
}

/// Entries that do not belong in a list or map of this shape.
fn wrong_entries(shape: Shape) -> Vec<Value> {
    let kinds = || [json!(null), json!(true), json!(1.5), json!([[]])].into_iter();
    match shape {
        Shape::Texts(_) | Shape::SomeTexts(_) | Shape::Objects(_) => {
            kinds().map(|kind| json!([kind])).collect()
        }
        Shape::Map(..) => kinds().map(|kind| json!({"x": kind})).collect(),
        Shape::Lists(..) => kinds().map(|kind| json!({"x.example": [kind]})).collect(),
        Shape::NamedObjects(..) => kinds().map(|kind| json!({"x.example": kind})).collect(),
        Shape::Text(_) | Shape::Truth | Shape::Object(_) => Vec::new(),
    }
}

#[test]
fn every_list_and_map_refuses_entries_that_are_not_text() {
    for (file, path) in cases(wrong_entries) {
        let words = refusal(&file);
        let entry =
            words.contains(&format!("`{path}[0]`")) || words.contains(&format!("`{path}.x"));
        assert!(entry && words.contains("expected "), "{file}: {words}");
    }
}

#[test]
fn every_key_is_guessed_when_a_letter_is_missing_doubled_or_in_the_wrong_case() {
    for (keys, _, wrap) in objects() {
        for key in keys.iter().filter(|key| key.name.len() > 4) {
            let (start, end) = key.name.split_at(3);
            let doubled = format!("{start}{}{end}", &start[2..]);
            let missing = format!("{start}{}", &end[1..]);
            for typo in [doubled, missing, key.name.to_uppercase()] {
                let words = refusal(wrap(json!({typo.as_str(): "x"})).to_string());
                let guess = format!("did you mean `{}`?", key.name);
                assert!(words.contains(&guess), "{typo}: {words}");
            }
        }
    }
}

#[test]
fn a_key_at_the_wrong_level_is_told_where_it_belongs() {
    for (keys, path, wrap) in objects() {
        for (others, ..) in objects() {
            let strange = |key: &&Key| keys.iter().all(|known| known.name != key.name);
            for key in others.iter().filter(strange) {
                let words = refusal(wrap(json!({key.name: "x"})).to_string());
                let hint = format!("hint: `{}` belongs ", key.name);
                assert!(words.contains(&hint), "{path}{}: {words}", key.name);
            }
        }
    }
}

#[test]
fn where_nothing_is_near_the_known_keys_are_listed() {
    for (keys, _, wrap) in objects() {
        let words = refusal(wrap(json!({"qqqqqq": "x"})).to_string());
        for key in keys {
            assert!(words.contains(&format!("`{}`", key.name)), "{words}");
        }
    }
}

/// The rule of every text in the file, and a file that gives it one text.
fn texts(text: &str) -> Vec<(String, &'static Rule)> {
    let mut files = Vec::new();
    for (keys, _, wrap) in objects() {
        for key in keys {
            let (value, rule) = match key.shape {
                Shape::Text(rule) => (json!(text), rule),
                Shape::Texts(rule) | Shape::SomeTexts(rule) => (json!([text]), rule),
                Shape::Map(_, rule) => (json!({"x": text}), rule),
                Shape::Lists(_, rule) => (json!({"*": [text]}), rule),
                Shape::Truth | Shape::Object(_) | Shape::Objects(_) | Shape::NamedObjects(..) => {
                    continue;
                }
            };
            files.push((wrap(json!({key.name: value})).to_string(), rule));
        }
    }
    files
}

#[test]
fn an_empty_text_is_refused_except_where_it_is_a_value_or_an_argument() {
    for (file, rule) in texts("") {
        let free = ["text", "an argument in text form"].contains(&rule.what);
        assert_eq!(super::read(&file).is_err(), !free, "{file}");
    }
}

#[test]
fn a_nul_is_refused_in_every_text() {
    for (file, _) in texts("a\0=b") {
        let words = refusal(&file);
        assert!(!words.contains('\0'), "{file}: {words:?}");
    }
}

#[test]
fn a_template_is_refused_wherever_one_will_have_a_meaning() {
    for (file, rule) in texts("A={{x}}") {
        let templates = [
            "text",
            "one flag of cargo",
            "an entry of the form `NAME=value`",
        ];
        if templates.contains(&rule.what) {
            let words = refusal(&file);
            assert!(
                words.contains("templates come with a later version"),
                "{file}: {words}"
            );
        }
    }
}
