//! Where a refusal points: the line and the column at which a person has to look, and the path of the key.

use super::refusal;

/// `line:column` and what follows.
fn place(text: impl AsRef<[u8]>) -> (String, String) {
    let words = refusal(text);
    let rest = words
        .strip_prefix("exit 2: .builder.yaml:")
        .unwrap_or_else(|| panic!("{words}"));
    let (position, message) = rest.split_once(": ").expect("a message");
    (position.to_owned(), message.to_owned())
}

#[test]
fn an_unknown_key_is_pointed_at_itself() {
    for (text, position, path) in [
        ("zzz: 1", "1:1", "`zzz`"),
        ("\n\n  zzz: 1", "3:3", "`zzz`"),
        ("{defaultEnv: [], zzz: 1}", "1:18", "`zzz`"),
        ("builds:\n- zzz: 1", "2:3", "`builds[0].zzz`"),
        (
            "builds:\n- {}\n- {}\n- bin: a\n  zzz: 1",
            "5:3",
            "`builds[2].zzz`",
        ),
        (
            "builds:\n- image:\n    zzz: 1",
            "3:5",
            "`builds[0].image.zzz`",
        ),
        (
            "builds:\n- assets:\n  - from: a\n    zzz: 1",
            "4:5",
            "`builds[0].assets[0].zzz`",
        ),
        ("\"zzz\": 1", "1:1", "`zzz`"),
        ("? zzz\n: 1", "1:3", "`zzz`"),
    ] {
        let (found, message) = place(text);
        assert_eq!(found, position, "{text}");
        assert!(message.starts_with(path), "{text}: {message}");
    }
}

#[test]
fn a_bad_value_is_pointed_at_itself_and_not_at_its_key() {
    for (text, position, path) in [
        ("defaultBaseImage: A", "1:19", "`defaultBaseImage`"),
        ("defaultBaseImage:\n  A", "2:3", "`defaultBaseImage`"),
        ("defaultBaseImage: \"A\"", "1:19", "`defaultBaseImage`"),
        ("defaultBaseImage: |-\n  A", "1:19", "`defaultBaseImage`"),
        ("defaultEnv: [A=1, B]", "1:19", "`defaultEnv[1]`"),
        ("defaultEnv:\n- A=1\n-   B", "3:5", "`defaultEnv[1]`"),
        (
            "builds: [{image: {ports: [80, 0]}}]",
            "1:31",
            "`builds[0].image.ports[1]`",
        ),
        (
            "builds: [{image: {env: {A: 1}}}]",
            "1:28",
            "`builds[0].image.env.A`",
        ),
    ] {
        let (found, message) = place(text);
        assert_eq!(found, position, "{text}");
        assert!(message.starts_with(path), "{text}: {message}");
    }
}

#[test]
fn what_comes_first_in_the_file_is_told_first() {
    assert_eq!(place("zzz: 1\ndefaultEnv: 1").0, "1:1");
    assert_eq!(place("defaultEnv: 1\nzzz: 1").0, "1:13");
    assert_eq!(place("defaultEnv: 1\n]").0, "1:13");
}

#[test]
fn a_key_given_twice_is_pointed_at_the_second_time() {
    assert_eq!(place("defaultEnv: []\n\ndefaultEnv: []").0, "3:1");
    assert_eq!(place("builds: [{bin: a, bin: a}]").0, "1:19");
    assert_eq!(
        place("baseImageOverrides: {a: scratch, \"a\": scratch}").0,
        "1:34"
    );
}

#[test]
fn a_value_behind_an_alias_is_pointed_at_where_it_is_written() {
    let text = "builds:\n- id: &name web\n- id: other\n  libc: *name\n";
    let (position, message) = place(text);
    assert_eq!(position, "2:7");
    assert!(message.starts_with("`builds[1].libc`"), "{message}");
}

#[test]
fn columns_count_characters_and_lines_count_every_kind_of_line_end() {
    assert_eq!(place("builds: [{image: {args: [é, ü], zzz: 1}}]").0, "1:33");
    assert_eq!(place("# é\r\n\r\nzzz: 1\r\n").0, "3:1");
    assert_eq!(place(b"# \xc3\xa9\xc3\xa9 \xff").0, "1:6");
    assert_eq!(place("# é\n# é\x07").0, "2:4");
}

#[test]
fn what_is_found_before_parsing_is_pointed_at_too() {
    let brackets = "[".repeat(9_999) + "\n\n [[ ";
    let (position, message) = place(brackets);
    assert_eq!(position, "3:3");
    assert!(message.contains("10000 opening brackets"), "{message}");
    assert_eq!(place("\n%TAG ! x\n---\n{}").0, "2:1");
}

#[test]
fn a_second_document_is_pointed_at_where_it_begins() {
    assert_eq!(place("{}\n---\ndefaultEnv: []").0, "3:1");
    assert_eq!(place("{}\n---\n[a]").0, "3:1");
    let (_, message) = place("{}\n---\n---\n");
    assert!(message.contains("more than one YAML document"), "{message}");
}

#[test]
fn a_file_that_is_too_large_has_no_position() {
    let words = refusal("#".repeat(2 << 20));
    assert_eq!(
        words,
        "exit 2: .builder.yaml: the file is larger than 1 MiB\n"
    );
}

#[test]
fn a_tab_is_named_and_other_bad_yaml_is_told_in_the_words_of_the_parser() {
    let (position, message) = place("builds:\n\t- bin: a");
    assert_eq!(position, "2:1");
    assert!(message.contains("spaces, never by tabs"), "{message}");
    let (_, message) = place("defaultEnv: [A=1");
    assert!(message.starts_with("not valid YAML: "), "{message}");
    assert!(!message.contains("tabs"), "{message}");
}

#[test]
fn a_long_key_is_cut_and_an_odd_one_is_escaped() {
    let (_, message) = place(format!("{}: 1", "k".repeat(500)));
    assert!(message.len() < 400 && message.contains("kkk…"), "{message}");
    let (_, message) = place("\"a\\e]52;c;x\\a\u{202e}b\": 1");
    assert!(
        message.contains("`a\\u{1b}]52;c;x\\u{7}\\u{202e}b`"),
        "{message}"
    );
}
