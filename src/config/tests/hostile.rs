//! H18: files that are made to hurt end within a moment, by a refusal or by the right value.

use super::read;
use super::refusal;
use crate::config::parse::LARGEST;

#[test]
fn h18_a_hundred_thousand_levels_of_nesting_are_refused() {
    for text in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "[{".repeat(100_000),
        format!("defaultEnv: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "a: ".repeat(100_000),
        "[ # ]\n".repeat(100_000),
        "[\"]\",".repeat(100_000),
        (0..1400)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect(),
    ] {
        let words = refusal(&text);
        assert!(words.starts_with("exit 2: .builder.yaml:"), "{words}");
    }
}

#[test]
fn h18_as_many_brackets_as_are_let_through_do_not_keep_the_parser_busy() {
    for text in [
        "[".repeat(10_000),
        "[{".repeat(5_000),
        "[ # ]\n".repeat(10_000),
        "{a: ".repeat(10_000),
        format!("defaultEnv: {}{}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        assert!(refusal(text).starts_with("exit 2: .builder.yaml:"));
    }
}

#[test]
fn h18_aliases_that_multiply_are_refused() {
    let mut laughs = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, last) in "bcdefghijk".chars().zip("abcdefghij".chars()) {
        let many = vec![format!("*{last}"); 9].join(",");
        laughs += &format!("{name}: &{name} [{many}]\n");
    }
    assert!(
        refusal(&laughs).contains("unknown key"),
        "keys are checked first"
    );

    let long = format!("defaultEnv: [&a A={}", "x".repeat(500_000));
    let words = refusal(long + &",*a".repeat(100_000) + "]\n");
    assert!(words.contains("aliases make the file expand"), "{words}");

    let list = format!("defaultFlags: &f [{}]\nbuilds:\n", "-q,".repeat(100_000));
    let words = refusal(list + &"- flags: *f\n".repeat(20_000));
    assert!(words.contains("aliases make the file expand"), "{words}");
}

#[test]
fn h18_a_file_without_aliases_never_reaches_the_bound_on_what_aliases_expand_to() {
    let entry = "  - \"A=\\L\\L\\L\\L\\L\\L\\L\\L\"\n";
    let text = format!("defaultEnv:\n{}", entry.repeat(LARGEST / entry.len() - 10));
    assert!(read(text).is_ok());
    let mut text = String::from("defaultFlags:\n");
    text += &"- q\n".repeat((LARGEST - text.len()) / 4);
    assert!(read(text).is_ok());
}

#[test]
fn h18_more_than_a_mebibyte_is_refused_and_a_mebibyte_is_not() {
    let comment = "#".repeat(LARGEST);
    assert!(read(&comment).is_ok());
    assert!(refusal(comment + "#").contains("larger than 1 MiB"));
    assert!(refusal("#".repeat(2 * LARGEST)).contains("larger than 1 MiB"));
}

#[test]
fn h18_a_mebibyte_of_anything_ends_soon() {
    let filled = |unit: &str| unit.repeat(LARGEST / unit.len());
    for unit in [
        "a",
        "\"",
        "&a ",
        "*a ",
        "- ",
        "? a\n",
        ": ",
        "\n ",
        "%TAG !a! b\n",
        "%YAML 1.2\n",
        "---\n",
        "a:\n",
        "- &a *a\n",
        "#\n",
        "]",
        "defaultEnv: &a [*a]\n",
        "- |\n  a\n",
    ] {
        let _ = read(filled(unit));
    }
    let keys: String = (0..60_000)
        .map(|number| format!("      l{number}: a\n"))
        .collect();
    let labels = format!("builds:\n  - image:\n     labels:\n{keys}");
    assert_eq!(
        read(labels).expect("valid").builds[0].image.labels.len(),
        60_000
    );
}

#[test]
fn h18_what_is_not_utf_8_is_refused_where_it_stands() {
    assert!(refusal(b"defaultEnv:\n- \xff").starts_with("exit 2: .builder.yaml:2:3: "));
    let wide: Vec<u8> = "\u{feff}a: b"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(refusal(wide).contains("not UTF-8"));
    assert!(refusal(b"a\0b").contains("control character"));
}

#[test]
fn h18_no_and_its_kin_stay_text_and_octal_is_not_decimal() {
    let text = "builds: [{id: no, image: {labels: {a: off, b: 0644, c: 1_000}}}]";
    let build = &read(text).expect("valid").builds[0];
    assert_eq!(build.id.as_deref(), Some("no"));
    let labels: Vec<_> = build.image.labels.values().map(String::as_str).collect();
    assert_eq!(labels, ["off", "0644", "1_000"]);
}

#[test]
fn h18_a_merge_key_is_refused_wherever_keys_stand() {
    for text in [
        "<<: {a: b}",
        "builds: [{<<: {id: a}}]",
        "builds: [{image: {labels: {<<: text}}}]",
        "baseImageOverrides: {<<: scratch}",
    ] {
        assert!(refusal(text).contains("merge keys"), "{text}");
    }
}

#[test]
fn h23_no_file_makes_the_reader_panic() {
    let good = "defaultBaseImage: r.example/base:v1\ndefaultEnv: [A=b, \"C=d\"]\nregistries:\n  \"r.example:5000\": {insecure: true, ca: /etc/ca.pem}\nmirrors: {\"*\": [https://mirror.example/hub]}\n";
    let pieces = [
        "a:",
        " ",
        "\n",
        "- ",
        "&a ",
        "*a ",
        "<<: ",
        "? ",
        "|",
        ">",
        "'",
        "\"",
        "{",
        "}",
        "[",
        "]",
        "!!x ",
        "#",
        "\t",
        "---",
        "\u{feff}",
        "defaultEnv:",
    ];
    let mut dice = crate::testing::Dice::new(19);
    for _ in 0..1_500 {
        let _ = read(dice.spoil(good.as_bytes()));
        let _ = read(dice.text(&pieces, 12));
    }
}
