//! What `rbuild config show` is given.

use super::read;
use crate::config::Config;

fn value(config: &Config, key: &str) -> (String, bool) {
    let settings = config.settings();
    let setting = settings.iter().find(|setting| setting.key == key);
    let setting = setting.unwrap_or_else(|| panic!("{key} in {settings:?}"));
    (setting.value.clone(), setting.written)
}

#[test]
fn without_a_file_every_setting_is_the_built_in_one() {
    let settings = Config::default().settings();
    let lines: Vec<String> = (settings.iter())
        .map(|setting| format!("{}: {}", setting.key, setting.value))
        .collect();
    assert_eq!(
        lines,
        [
            "defaultBaseImage: builtin:static",
            "baseImageOverrides: {}",
            "defaultPlatforms: null",
            "defaultEnv: []",
            "defaultFlags: []",
            "registries: {}",
            "mirrors: {}",
            "cache.baseLayers: false",
            "sysroots: {}",
            "builds: []",
        ]
    );
    assert!(settings.iter().all(|setting| !setting.written));
}

#[test]
fn what_a_build_leaves_out_is_shown_with_its_default() {
    let config = read("builds: [{bin: a, image: {user: 1}}, {libc: gnu}]").expect("valid");
    let said = |key| value(&config, key);
    assert_eq!(said("builds[0].bin"), ("a".to_owned(), true));
    assert_eq!(said("builds[0].profile"), ("release".to_owned(), false));
    assert_eq!(said("builds[0].image.user"), ("\"1\"".to_owned(), true));
    assert_eq!(said("builds[0].image.ports"), ("[]".to_owned(), false));
    assert_eq!(said("builds[0].image.path"), ("null".to_owned(), false));
    assert_eq!(said("builds[1].libc"), ("gnu".to_owned(), true));
    assert_eq!(said("builds[1].assets"), ("[]".to_owned(), false));
}

#[test]
fn a_value_reads_as_yaml_and_means_what_the_file_means() {
    let labels = r##"{a: "yes: no", b: "- x", c: "#", d: "null", e: "1", f: "", g: "it's", h: "two\nlines"}"##;
    let text = format!(
        "defaultBaseImage: scratch\nbuilds: [{{id: \"no\", bin: \"12\", image: {{labels: {labels}}}}}]"
    );
    let config = read(&text).expect("valid");
    let label = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).expect("YAML");
    let shown = label(&value(&config, "builds[0].image.labels").0);
    assert_eq!(shown, label(labels));
    assert_eq!(value(&config, "builds[0].id").0, "\"no\"");
    assert_eq!(value(&config, "builds[0].bin").0, "\"12\"");
}

#[test]
fn a_text_that_yaml_would_read_as_something_else_is_shown_in_quotes() {
    for word in [
        "yes", "No", "true", "null", "~", "12", "1.5", ".inf", "0644", "a: b", "a #b", "", "-",
        "é", "a:",
    ] {
        let text = serde_json::json!({"builds": [{"image": {"args": [], "labels": {"x": word}, "user": "a"}, "dir": if word.is_empty() { "." } else { word }}]});
        let shown = value(&read(text.to_string()).expect("valid"), "builds[0].dir").0;
        assert!(shown.starts_with('"'), "{word}: {shown}");
    }
}
