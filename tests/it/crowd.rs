//! A6: many builds at once on one cold cache.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Run, TestEnv, base};

const COUNT: usize = 8;

/// hello under another name.
fn sibling(env: &TestEnv, number: usize) -> PathBuf {
    let name = format!("hello{number}");
    let from = env.workspace("hello");
    let to = env.path(&name);
    fs::rename(from, &to).expect("moved");
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = fs::read_to_string(to.join(file)).expect("there");
        let text = text.replace("name = \"hello\"", &format!("name = \"{name}\""));
        fs::write(to.join(file), text).expect("written");
    }
    to
}

/// Builds all siblings at once with these arguments; gives the references that were printed.
fn all_at_once(env: &TestEnv, arguments: &str) -> BTreeSet<String> {
    let start = |directory: PathBuf| -> Child {
        let mut command = env.command(&directory);
        command
            .args(["build", "."])
            .args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("started")
    };
    let directories: Vec<PathBuf> = (0..COUNT).map(|number| sibling(env, number)).collect();
    let children: Vec<Child> = directories.into_iter().map(start).collect();
    let end = |child: Child| Run {
        output: child.wait_with_output().expect("it ends"),
    };
    let reference = |run: Run| run.succeeds().stdout().trim().to_owned();
    children.into_iter().map(end).map(reference).collect()
}

/// `NAME@DIGEST` of each entry of the index in the build cache, without the tags.
fn recorded(env: &TestEnv) -> Vec<String> {
    let bytes = fs::read(env.cache().join("build/index.json")).expect("there");
    let index: Value = serde_json::from_slice(&bytes).expect("JSON");
    let entry = |entry: &Value| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
        let name = name.and_then(|name| name.strip_suffix(":latest"));
        let digest = entry["digest"].as_str().expect("a digest");
        format!("{}@{digest}", name.expect("a tagged name"))
    };
    let entries = index["manifests"].as_array().expect("a list");
    entries.iter().map(entry).collect()
}

/// Every image that was printed has its entry, every blob is whole, and nothing unfinished is left.
fn judge(env: &TestEnv, printed: &BTreeSet<String>) {
    assert_eq!(printed.len(), COUNT, "{printed:?}");
    let recorded = recorded(env);
    assert_eq!(recorded.len(), COUNT, "{recorded:?}");
    assert_eq!(&recorded.into_iter().collect::<BTreeSet<_>>(), printed);
    env.rbuild(&env.path("home"), "cache verify").succeeds();
    let left = crate::support::tree(&env.cache().join("build/.rbuild/tmp"));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a6_eight_builds_at_once_on_a_cold_cache_lose_no_entry() {
    let env = TestEnv::new();
    // Archives, so that all of them make the layers of the base too.
    let printed = all_at_once(&env, "--push=false --oci-archive a.tar");
    judge(&env, &printed);
}

#[test]
fn a6_eight_builds_at_once_on_a_shared_base_lose_no_entry() {
    let env = TestEnv::new();
    let made = base(&env.cache().join("img"), true, &["r.example/base:1"]);
    let printed = all_at_once(&env, "--push=false --tarball t.tar --base r.example/base:1");
    judge(&env, &printed);
    assert!(
        env.cache()
            .join("img/blobs")
            .join(made.index.replace(':', "/"))
            .is_file()
    );
}
