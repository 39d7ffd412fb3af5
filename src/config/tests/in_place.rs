//! A digest goes to exactly the bytes of a name, or nowhere.

use std::fs;

use super::super::pinned;
use super::words;

/// As a registry would pin: `a:1` and `b:2`, nothing else.
fn pin(name: &str) -> Option<String> {
    ["a:1", "b:2"]
        .contains(&name)
        .then(|| format!("{name}@sha256:{}", "0".repeat(64)))
}

fn written(text: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join(".builder.yaml");
    fs::write(&file, text).expect("written");
    let pinned = pinned(&file, text.as_bytes(), &pin);
    let pinned = pinned.map_err(|error| words(&error, directory.path()))?;
    Ok(String::from_utf8(pinned).expect("UTF-8"))
}

#[test]
fn comments_quotes_spaces_and_line_ends_stay_as_they_are() {
    for text in [
        "defaultBaseImage: a:1\n",
        "defaultBaseImage: a:1",
        "defaultBaseImage:   'a:1'   # a:1 is ours\n",
        "defaultBaseImage: \"a:1\"\r\nbuilds: []\r\n",
        "# ä 1\n\n\"defaultBaseImage\" : a:1 # ü\n",
        "\u{feff}defaultBaseImage: a:1\n",
        "---\ndefaultBaseImage:\n  a:1\n...\n",
        "{defaultBaseImage: a:1, builds: []}\n",
        "{\"defaultBaseImage\":\"a:1\"}",
        "baseImageOverrides: {x: a:1}\ndefaultFlags: [\"a:1\"]\n",
        "baseImageOverrides:\n  a:1: a:1\n".trim_start_matches("a:1: "),
        "defaultEnv: ['a=a:1']\ndefaultBaseImage: a:1\n",
    ] {
        let place = text.rfind("a:1").expect("there");
        let place = match text {
            _ if text.contains("# a:1") => text.find("a:1").expect("there"),
            _ if text.contains("{x: a:1}") => text.find("a:1").expect("there"),
            _ => place,
        };
        let expected = [
            &text[..place],
            &pin("a:1").expect("known"),
            &text[place + 3..],
        ]
        .concat();
        assert_eq!(written(text).as_deref(), Ok(expected.as_str()), "{text:?}");
    }
}

#[test]
fn several_names_are_written_at_once_and_pinned_or_other_ones_stay() {
    let digest = format!("@sha256:{}", "0".repeat(64));
    let text = format!(
        "defaultBaseImage: a:1\nbaseImageOverrides:\n  web: b:2 # two\n  'pinned': \"a:1{digest}\"\n  none: scratch\n  again: 'a:1'\n"
    );
    let expected = text
        .replacen("Image: a:1", &format!("Image: a:1{digest}"), 1)
        .replacen("b:2 ", &format!("b:2{digest} "), 1)
        .replacen("'a:1'", &format!("'a:1{digest}'"), 1);
    assert_eq!(written(&text), Ok(expected.clone()));
    assert_eq!(
        written(&expected),
        Ok(expected),
        "a second time changes nothing"
    );
}

#[test]
fn what_is_written_in_a_roundabout_way_is_refused_with_the_line_to_write() {
    for (text, line) in [
        ("defaultBaseImage: &base a:1\n", 1),
        ("defaultEnv: []\ndefaultBaseImage: |-\n  a:1\n", 2),
        ("defaultBaseImage: >-\n  a:1\n", 1),
        ("defaultBaseImage: \"a\\x3a1\"\n", 1),
        ("defaultBaseImage: !!str a:1\n", 1),
        (
            "defaultBaseImage: &b scratch\nbaseImageOverrides:\n  x: &c a:1\n  y: *c\n",
            3,
        ),
    ] {
        let refusal = written(text).expect_err(text);
        let start = format!("exit 2: .builder.yaml:{line}: cannot write a digest into `");
        assert!(refusal.starts_with(&start), "{text:?}: {refusal}");
        assert!(refusal.contains("@sha256:000"), "{refusal}");
    }
}
