//! testdata/config: each `NAME.yaml` is accepted or refused exactly as `NAME.expected` says.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::read;

/// `UPDATE_EXPECTED=1` rewrites what is expected; read the difference before it is committed.
#[expect(
    clippy::disallowed_methods,
    reason = "a switch for the person who runs the test, not for the program"
)]
fn is_updating() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some()
}

fn yaml_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/config");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("testdata/config")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

/// What the file leads to: the settings that it writes, or the refusal.
fn outcome(file: &Path) -> String {
    match read(fs::read(file).expect("readable")) {
        Err(refusal) => refusal,
        Ok(config) => (config.settings().iter())
            .filter(|setting| setting.written)
            .map(|setting| format!("{}: {}\n", setting.key, setting.value))
            .collect(),
    }
}

#[test]
fn every_file_is_accepted_or_refused_in_the_expected_words() {
    let files = yaml_files();
    assert!(files.len() >= 100, "only {} files", files.len());
    for file in files {
        let expected = file.with_extension("expected");
        let found = outcome(&file);
        if is_updating() {
            fs::write(&expected, &found).expect("written");
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(found, wanted, "{}", file.display());
    }
}

#[test]
fn a_file_called_accepted_is_accepted_and_no_other() {
    for file in yaml_files() {
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let refused = outcome(&file).starts_with("exit 2: .builder.yaml:");
        assert_eq!(refused, !name.starts_with("accepted-"), "{name}");
    }
}

#[test]
fn every_refusal_names_line_and_column() {
    for file in yaml_files() {
        let words = outcome(&file);
        let Some(rest) = words.strip_prefix("exit 2: .builder.yaml:") else {
            continue;
        };
        let numbers: Vec<_> = rest.split(':').take(2).map(str::parse::<usize>).collect();
        assert!(
            matches!(numbers[..], [Ok(1..), Ok(1..)]),
            "{}: {words}",
            file.display()
        );
    }
}

#[test]
fn no_refusal_repeats_a_secret_or_a_control_character() {
    for file in yaml_files() {
        let words = outcome(&file);
        assert!(!words.contains("hunter2"), "{words}");
        let printable = |c: char| c == '\n' || !c.is_control();
        assert!(words.chars().all(printable), "{words:?}");
    }
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).expect("readable");
    let example = page
        .lines()
        .skip_while(|line| !line.starts_with("    # yaml"));
    let example = example.map_while(|line| line.strip_prefix("    "));
    let text = example.collect::<Vec<_>>().join("\n");
    let text = text.replace('…', &"0".repeat(64));
    let config = read(&text).expect("a configuration");
    assert_eq!(config.builds.len(), 1);
}
