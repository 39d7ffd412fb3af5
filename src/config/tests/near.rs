//! Guesses: made when nearly sure, else not.

use crate::config::near::nearest;

const WORDS: [&str; 6] = [
    "workingDir",
    "env",
    "bin",
    "libc",
    "defaultPlatforms",
    "stopSignal",
];

#[test]
fn a_slip_a_change_of_case_or_half_of_the_word_is_understood() {
    for (typed, meant) in [
        ("workngDir", "workingDir"),
        ("wrokingDir", "workingDir"),
        ("working_dir", "workingDir"),
        ("WORKING-DIR", "workingDir"),
        ("envs", "env"),
        ("ENV", "env"),
        ("platforms", "defaultPlatforms"),
        ("defaultPlatfroms", "defaultPlatforms"),
        ("signal", "stopSignal"),
        ("lib", "libc"),
    ] {
        assert_eq!(nearest(typed, WORDS), Some(meant), "{typed}");
    }
}

#[test]
fn what_is_unlike_everything_is_not_guessed() {
    let long = "x".repeat(1_000_000);
    for typed in [
        "",
        "x",
        "in",
        "zzz",
        "capabilities",
        "cache",
        "mirrors",
        &long,
    ] {
        assert_eq!(nearest(typed, WORDS), None, "{typed:.20}");
    }
}

#[test]
fn of_two_near_words_the_nearer_is_meant() {
    assert_eq!(nearest("flags", ["defaultFlags", "flags"]), Some("flags"));
    assert_eq!(nearest("flagz", ["flaps", "flags"]), Some("flags"));
}
