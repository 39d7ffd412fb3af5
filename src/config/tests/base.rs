//! The names of base images that a file may hold.

use super::read;
use super::refusal;
use crate::reference::layouts;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The file that uses the name as the default, and the one that uses it for one package.
fn files(name: &str) -> [String; 2] {
    let name = serde_json::Value::from(name);
    [
        format!("defaultBaseImage: {name}"),
        format!("baseImageOverrides: {{web: {name}}}"),
    ]
}

#[test]
fn bases_of_every_kind_are_accepted() {
    let pinned = format!("debian:13-slim@{DIGEST}");
    let layout = format!("oci:bases@{DIGEST}");
    for name in [
        "builtin:static",
        "scratch",
        "debian",
        "debian:13-slim",
        "localhost:5000/base",
        "registry.example/a/b/c:v1",
        &pinned,
        "oci:bases",
        "oci:../bases",
        "oci:/srv/bases:latest",
        "oci:bases:registry.example:5000/debian:13",
        &layout,
    ] {
        for file in files(name) {
            assert!(read(&file).is_ok(), "{file}");
        }
    }
}

#[test]
fn a_layout_is_read_by_the_rule_that_the_command_line_has_too() {
    for (text, ..) in layouts::GOOD {
        for file in files(&layouts::typed(text)) {
            assert!(read(&file).is_ok(), "{file}");
        }
    }
    for text in layouts::BAD {
        for file in files(&layouts::typed(text)) {
            assert!(refusal(&file).contains(".builder.yaml:1:"), "{file}");
        }
    }
}

#[test]
fn what_is_no_base_is_refused_without_control_characters_or_passwords() {
    let upper = format!("debian@{}", DIGEST.to_uppercase());
    let both = format!("oci:bases:name@{DIGEST}");
    let short = DIGEST[..70].to_owned();
    let long = "a".repeat(100_000);
    for name in [
        "",
        "Debian",
        "de bian",
        "debian:",
        "debian@sha512:00",
        "host:99999/x",
        "user:hunter2@host/x",
        "de\u{1b}bian",
        "builtin:",
        "builtin:debian",
        "oci:",
        "oci::latest",
        "oci:bases:",
        "oci:ba\nses",
        &format!("oci:@{DIGEST}"),
        &format!("oci:bases@{short}"),
        &both,
        &upper,
        &long,
    ] {
        for file in files(name) {
            let words = refusal(&file);
            assert!(words.len() < 600 && !words.contains("hunter2"), "{words}");
            let printable = |c: char| c == '\n' || !c.is_control();
            assert!(words.chars().all(printable), "{words:?}");
        }
    }
}

#[test]
fn the_way_out_is_named_where_there_is_one() {
    for (name, hint) in [
        (
            "builtin:debian",
            "hint: the built-in base is `builtin:static`",
        ),
        (
            "oci:",
            "hint: write `oci:DIR`, `oci:DIR:NAME` or `oci:DIR@sha256:…`",
        ),
    ] {
        for file in files(name) {
            assert!(refusal(&file).contains(hint), "{file}");
        }
    }
}

#[test]
fn a_key_of_the_overrides_is_a_package_a_binary_or_a_path() {
    for key in ["web", "web/migrate", "crates/web", "./crates/web"] {
        let config = read(format!("baseImageOverrides: {{{key}: scratch}}")).expect(key);
        assert_eq!(config.base_image_overrides[key], "scratch");
    }
    for key in ["\"\"", "\"a b\"", "\"--config\"", "\"a\\0\""] {
        assert!(read(format!("baseImageOverrides: {{{key}: scratch}}")).is_err());
    }
}
