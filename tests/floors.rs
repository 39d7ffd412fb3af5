//! The house rules that a compiler does not hold: floors, sizes, doors, words.
//!
//! docs/architecture.md says why; this test reads `src` and says where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A room may name only rooms on a strictly lower floor.
const FLOORS: [&[&str]; 10] = [
    &[
        "digest",
        "fault",
        "interrupt",
        "json",
        "media",
        "network",
        "notes",
        "platform",
        "progress",
        "timestamp",
        "words",
    ],
    &["outfile", "process", "reference", "store"],
    &[
        "bundle",
        "config",
        "contents",
        "layer",
        "registry",
        "workspace",
    ],
    &["base", "toolchain"],
    &["compile", "image"],
    &["buildcache"],
    &["cache", "publish"],
    &["plan"],
    &["build"],
    &["cli"],
];

/// Crates that one room alone may name.
const DOORS: [(&str, &[&str]); 13] = [
    ("serde_yaml", &["config"]),
    ("cargo_metadata", &["workspace", "toolchain", "compile"]),
    ("cargo_config2", &["toolchain"]),
    ("object", &["contents"]),
    ("ruzstd", &["contents"]),
    ("indicatif", &["cli"]),
    ("reqwest", &["registry"]),
    ("rustls", &["registry"]),
    ("rustls_native_certs", &["registry"]),
    ("tokio", &["registry"]),
    ("directories", &["cli"]),
    ("signal_hook", &["cli"]),
    ("clap", &["cli"]),
];

struct Source {
    path: PathBuf,
    room: String,
    /// Without tests.
    code: String,
    lines_of_tests: usize,
}

impl Source {
    fn is_test(&self) -> bool {
        let name = self.path.file_name().expect("a file").to_string_lossy();
        self.room == "testing"
            || name.starts_with("tests")
            || self
                .path
                .components()
                .any(|part| part.as_os_str() == "tests")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn collect(directory: &Path, root: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("src can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(read(&path, root));
        }
    }
}

fn read(path: &Path, root: &Path) -> Source {
    let text = fs::read_to_string(path).expect("UTF-8");
    let relative = path.strip_prefix(root).expect("below src");
    let room = relative
        .components()
        .next()
        .expect("a room")
        .as_os_str()
        .to_string_lossy();
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned();
    let lines_of_tests = text.lines().count() - code.lines().count();
    Source {
        path: relative.to_owned(),
        room: room.trim_end_matches(".rs").to_owned(),
        code,
        lines_of_tests,
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a line of code names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).filter_map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    })
}

#[test]
fn a_room_names_only_rooms_on_lower_floors() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| {
        !source.is_test() && !["lib", "main", "bin"].contains(&source.room.as_str())
    }) {
        let own = floor(&source.room)
            .unwrap_or_else(|| panic!("{} stands on no floor", source.path.display()));
        for other in source
            .code
            .lines()
            .flat_map(named)
            .filter(|other| *other != source.room)
        {
            let theirs = floor(other);
            // `crate::X` may also be an item of lib.rs, but rooms begin in lower case.
            let is_room = other.starts_with(|c: char| c.is_ascii_lowercase());
            if theirs.is_some_and(|floor| floor >= own) || (is_room && theirs.is_none()) {
                broken.push(format!(
                    "{}: {} uses {other}",
                    source.path.display(),
                    source.room
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_scan_sees_what_it_should() {
    assert_eq!(
        named("use crate::store::Store;").collect::<Vec<_>>(),
        ["store"]
    );
    assert_eq!(
        named("crate::a::x(crate::b_c::y) // crate::d").collect::<Vec<_>>(),
        ["a", "b_c"]
    );
}

#[test]
fn a_crate_is_named_in_its_own_room_alone() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (krate, rooms) in DOORS {
            let names = source
                .code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let named = names.clone().any(|line| {
                line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate};"))
            });
            if named && !rooms.contains(&source.room.as_str()) {
                broken.push(format!("{} names {krate}", source.path.display()));
            }
        }
        let code = source
            .code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        if code
            .clone()
            .any(|line| line.contains("async fn") || line.contains(".await"))
            && source.room != "registry"
        {
            broken.push(format!("{} is async", source.path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_small_and_say_what_they_are_for() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.code.lines().count();
        let limit = match source.room.as_str() {
            "main" | "bin" => 30,
            _ if source.is_test() => 1_000,
            _ => 400,
        };
        if lines > limit {
            broken.push(format!(
                "{} has {lines} lines, the limit is {limit}",
                source.path.display()
            ));
        }
        if !source.code.starts_with("//!") {
            broken.push(format!(
                "{} does not say what it is for",
                source.path.display()
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn there_are_hardly_any_traits_and_no_rooms_without_a_thing() {
    let sources = sources();
    let code = sources
        .iter()
        .filter(|source| !source.is_test())
        .flat_map(|source| source.code.lines());
    let traits = code
        .filter(|line| line.starts_with("pub(crate) trait ") || line.starts_with("trait "))
        .count();
    assert!(traits <= 4, "{traits} traits");
    for source in &sources {
        let banned = [
            "utils", "helpers", "common", "core", "manager", "errors", "misc",
        ];
        assert!(
            !banned.contains(&source.room.as_str()),
            "{} is named for nothing",
            source.path.display()
        );
    }
}

#[test]
fn there_is_at_least_one_line_of_tests_for_each_line_of_code() {
    let mut counts: BTreeMap<bool, usize> = BTreeMap::new();
    for source in sources() {
        *counts.entry(source.is_test()).or_default() += source.code.lines().count();
        *counts.entry(true).or_default() += source.lines_of_tests;
    }
    let outside = walk_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    let (code, tests) = (counts[&false], counts[&true] + outside);
    assert!(
        tests >= code,
        "{tests} lines of tests for {code} lines of code"
    );
}

fn walk_tests(directory: &Path) -> usize {
    let lines = |path: PathBuf| {
        if path.is_dir() {
            walk_tests(&path)
        } else {
            fs::read_to_string(&path).map_or(0, |text| text.lines().count())
        }
    };
    fs::read_dir(directory)
        .expect("tests can be listed")
        .map(|entry| lines(entry.expect("an entry").path()))
        .sum()
}

#[test]
fn every_test_that_needs_a_peer_says_which() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests"] {
        rust_files(&root.join(directory), &mut files);
    }
    let own = root.join("tests/floors.rs");
    for path in files.iter().filter(|path| **path != own) {
        let text = fs::read_to_string(path).expect("UTF-8");
        let unsaid = text.lines().any(|line| line.trim() == "#[ignore]");
        assert!(
            !unsaid,
            "{} ignores a test without a reason",
            path.display()
        );
    }
    assert!(files.len() > 100, "the scan sees {} files", files.len());
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
