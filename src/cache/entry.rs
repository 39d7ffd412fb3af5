//! What of an index's entry travels with an image, and by which name.
//!
//! A full name is written one way, whoever wrote it: `docker.io/library/…`, not crane's `index.docker.io/library/…`. Another name, a
//! bare tag for instance, stays as it is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::digest::Descriptor;
use crate::media::{CONTAINERD_NAME, REF_NAME};
use crate::reference::Reference;

/// The longest name that is believed to be one, in bytes.
const LONGEST: usize = 512;
/// What an entry says of its image, and no name of it.
const FACTS: [&str; 2] = ["artifactType", "platform"];

/// The name of an entry: the first of its full names, else whatever it is called; `None` for one without a name worth it.
pub(crate) fn name(entry: &Descriptor) -> Option<String> {
    let names = [REF_NAME, CONTAINERD_NAME].map(|key| entry.annotation(key));
    let names: Vec<&str> = names.into_iter().flatten().filter(is_sound).collect();
    let full = names.iter().find_map(|name| full(name));
    full.or_else(|| names.first().map(|name| (*name).to_owned()))
}

fn is_sound(name: &&str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
}

fn full(name: &str) -> Option<String> {
    let reference: Reference = name.contains('/').then(|| name.parse().ok())??;
    Some(reference.to_string())
}

/// The entry as it travels: what it points at, what it says of the image, and its name under both keys.
pub(crate) fn carried(entry: &Descriptor) -> Descriptor {
    let kept = without_name(entry);
    let annotations = entry.rest.get("annotations").and_then(Value::as_object);
    let others = annotations.into_iter().flatten();
    let others = others.filter(|(key, _)| ![REF_NAME, CONTAINERD_NAME].contains(&key.as_str()));
    let texts = others.filter_map(|(key, value)| Some((key, value.as_str()?)));
    let kept = texts.fold(kept, |kept, (key, text)| kept.annotated(key, text));
    match name(entry) {
        None => kept,
        Some(name) if full(&name).is_none() => kept.annotated(REF_NAME, &name),
        Some(name) => kept
            .annotated(REF_NAME, &name)
            .annotated(CONTAINERD_NAME, &name),
    }
}

/// The entry of somebody whose names are not believed.
pub(crate) fn without_name(entry: &Descriptor) -> Descriptor {
    let facts = FACTS
        .iter()
        .filter_map(|key| Some((key, entry.rest.get(*key)?)));
    facts.fold(entry.bare(), |kept, (key, value)| {
        kept.with(key, value.clone())
    })
}

/// The pin of an entry, for people: `NAME@DIGEST`, or the digest alone.
pub(crate) fn pin(entry: &Descriptor) -> String {
    match name(entry).filter(|name| full(name).is_some()) {
        Some(name) if name.contains('@') => name,
        Some(name) => format!("{name}@{}", entry.digest),
        None => entry.digest.to_string(),
    }
}

/// Each name once, the last one of it, and each digest that has none; sorted: the same entries in any order give the same list.
pub(crate) fn sorted(entries: Vec<Descriptor>) -> Vec<Descriptor> {
    let (mut named, mut nameless) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        match name(&entry) {
            Some(name) => named.insert(name, entry),
            None => nameless.insert(entry.digest.to_string(), entry),
        };
    }
    for entry in named.values() {
        nameless.remove(&entry.digest.to_string());
    }
    nameless.into_values().chain(named.into_values()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::OCI_INDEX;

    fn called(names: &[(&str, &str)]) -> Descriptor {
        let bare = Descriptor::of(OCI_INDEX, b"x");
        names
            .iter()
            .fold(bare, |entry, (key, name)| entry.annotated(key, name))
    }

    #[test]
    fn a_full_name_is_written_one_way_whoever_wrote_it() {
        for (names, expected) in [
            (
                &[(REF_NAME, "index.docker.io/library/debian:13")][..],
                "docker.io/library/debian:13",
            ),
            (
                &[(REF_NAME, "latest"), (CONTAINERD_NAME, "r.example/a:1")],
                "r.example/a:1",
            ),
            (
                &[
                    (REF_NAME, "r.example/a:1"),
                    (CONTAINERD_NAME, "r.example/b:1"),
                ],
                "r.example/a:1",
            ),
            (&[(REF_NAME, "latest")], "latest"),
            (&[(CONTAINERD_NAME, "alpine:3")], "alpine:3"),
        ] {
            let entry = called(names);
            assert_eq!(name(&entry).as_deref(), Some(expected));
            let carried = carried(&entry);
            assert_eq!(name(&carried).as_deref(), Some(expected));
            assert_eq!(super::carried(&carried), carried, "twice is once");
        }
    }

    #[test]
    fn both_annotations_carry_a_full_name_and_a_bare_tag_is_no_name_for_containerd() {
        let full = carried(&called(&[(REF_NAME, "r.example/a:1")]));
        assert_eq!(full.annotation(CONTAINERD_NAME), Some("r.example/a:1"));
        let bare = carried(&called(&[(REF_NAME, "latest")]));
        assert_eq!(bare.annotation(CONTAINERD_NAME), None);
        assert_eq!(pin(&bare), bare.digest.to_string());
    }

    #[test]
    fn what_is_endless_or_moves_the_cursor_is_no_name() {
        for bad in ["", "a\nb", "r.example/\u{1b}[2J", &"x".repeat(513)] {
            assert_eq!(name(&called(&[(REF_NAME, bad)])), None);
        }
    }

    #[test]
    fn of_two_entries_of_one_name_the_last_is_meant() {
        let other = Descriptor::of(OCI_INDEX, b"y").annotated(REF_NAME, "index.docker.io/a/b:1");
        let first = called(&[(REF_NAME, "docker.io/a/b:1")]);
        let nameless = called(&[]);
        let all = sorted(vec![
            first,
            nameless.clone(),
            other.clone(),
            nameless.clone(),
        ]);
        assert_eq!(all, [nameless, other]);
    }

    #[test]
    fn what_has_a_name_is_not_listed_a_second_time_without_one() {
        let named = called(&[(REF_NAME, "r.example/a:1")]);
        assert_eq!(sorted(vec![named.clone(), called(&[])]), [named]);
    }

    #[test]
    fn an_entry_without_its_name_keeps_what_it_says_of_the_image() {
        let platform = serde_json::json!({"os": "linux", "architecture": "arm64"});
        let entry = called(&[(REF_NAME, "r.example/a:1"), ("vendor", "x")])
            .with("platform", platform.clone())
            .with("urls", serde_json::json!(["http://169.254.169.254/"]));
        let bare = without_name(&entry);
        assert_eq!(bare.rest.len(), 1);
        assert_eq!(bare.rest["platform"], platform);
        assert!(!carried(&entry).rest.contains_key("urls"));
        assert_eq!(carried(&entry).annotation("vendor"), Some("x"));
    }
}
