//! Four programs of one package, over crates of a common size.

use std::fs;
use std::path::{Path, PathBuf};

use crate::call::Call;

const PROGRAMS: [&str; 4] = ["one", "two", "three", "four"];

const PLATFORMS: &str = "--platform=linux/amd64,linux/arm64";

const MANIFEST: &str = r#"[package]
name = "several"
version = "0.1.0"
edition = "2024"

[workspace]

[dependencies]
clap = { version = "4", features = ["derive"] }
serde_json = "1"
serde = { version = "1", features = ["derive"] }
"#;

/// What the programs share; `EDIT` is what an edit changes.
const LIBRARY: &str = r#"
use clap::Parser;
use serde::{Deserialize, Serialize};

#[derive(Debug, Parser, Serialize, Deserialize)]
pub struct Arguments {
    #[arg(long, default_value = "EDIT")]
    pub name: String,
    pub more: Vec<String>,
}

pub fn show(program: &str) {
    let arguments = Arguments::parse();
    let text = serde_json::to_string_pretty(&arguments).expect("JSON");
    let back: Arguments = serde_json::from_str(&text).expect("the same");
    println!("{program}: {text} {back:?}");
}
"#;

pub(crate) struct World {
    place: PathBuf,
    /// Of the plan: which linker cargo is told of, for each target.
    linkers: Vec<(String, String)>,
    targets: Vec<String>,
    calls: usize,
}

impl World {
    pub(crate) fn new(place: &Path) -> World {
        let project = place.join("project");
        fs::create_dir_all(project.join("src/bin")).expect("made");
        fs::write(project.join("Cargo.toml"), MANIFEST).expect("written");
        for name in PROGRAMS {
            let program = format!("fn main() {{\n    several::show({name:?});\n}}\n");
            fs::write(project.join(format!("src/bin/{name}.rs")), program).expect("written");
        }
        let mut world = World {
            place: place.to_owned(),
            linkers: Vec::new(),
            targets: Vec::new(),
            calls: 0,
        };
        world.edit(0);
        Call::new(&["cargo", "fetch"], &project).time();
        world.read_plan();
        world
    }

    /// Takes from `--dry-run` what cargo needs to know to link for these targets.
    fn read_plan(&mut self) {
        let plan = self.rbuild_with(&["--dry-run"]).output();
        let words = || plan.split_whitespace();
        let linkers = words().filter(|word| word.starts_with("CARGO_TARGET_"));
        let pairs = linkers.filter_map(|word| word.split_once('='));
        self.linkers = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let targets = words().filter(|word| word.starts_with("--target="));
        self.targets = targets.map(str::to_owned).collect();
        self.calls = plan.lines().filter(|line| line.starts_with("run ")).count();
        assert_eq!(self.targets.len(), 2, "{plan}");
        assert_eq!(words().filter(|word| *word == "image").count(), 4, "{plan}");
    }

    /// How often the plan runs cargo.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    pub(crate) fn edit(&self, round: usize) {
        let library = LIBRARY.replace("EDIT", &format!("edit {round}"));
        fs::write(self.project().join("src/lib.rs"), library).expect("written");
    }

    /// Every build and every layer, so that the next call begins from nothing.
    pub(crate) fn forget(&self) {
        for name in ["cache", "target"] {
            // The first time there is none.
            fs::remove_dir_all(self.place.join(name)).ok();
        }
        fs::remove_dir_all(self.project().join("target")).ok();
    }

    pub(crate) fn rbuild(&self) -> Call {
        self.rbuild_with(&[])
    }

    /// The same programs for the same targets by the same linkers, without images.
    pub(crate) fn cargo(&self) -> Call {
        let mut words = vec!["cargo", "build", "--release", "--bins"];
        words.extend(self.targets.iter().map(String::as_str));
        let call = Call::new(&words, &self.project());
        let call = call.env("CARGO_TARGET_DIR", self.place.join("target"));
        let add = |call: Call, (name, value): &(String, String)| call.env(name, value);
        self.linkers.iter().fold(call, add)
    }

    pub(crate) fn metadata(&self) -> Call {
        let words = ["cargo", "metadata", "--no-deps", "--format-version=1"];
        Call::new(&words, &self.project())
    }

    fn rbuild_with(&self, more: &[&str]) -> Call {
        let words = [env!("CARGO_BIN_EXE_rbuild"), "build", ".", "--push=false"];
        let words = [&words, [PLATFORMS, "--bins"].as_slice(), more].concat();
        Call::new(&words, &self.project()).env("KOCACHE", self.place.join("cache"))
    }

    fn project(&self) -> PathBuf {
        self.place.join("project")
    }
}
