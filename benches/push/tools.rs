//! The programs that push the same layout.

use std::path::{Path, PathBuf};

use crate::call::Call;

pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    place: PathBuf,
    words: fn(&str) -> Vec<String>,
}

impl Tool {
    pub(crate) fn all(place: &Path) -> Vec<Tool> {
        let tool = |name, program, words| Tool {
            name,
            program,
            place: place.to_owned(),
            words,
        };
        vec![
            tool(
                "rbuild",
                env!("CARGO_BIN_EXE_rbuild"),
                rbuild as fn(&str) -> Vec<String>,
            ),
            tool("crane", "crane", crane),
            tool("skopeo", "skopeo", skopeo),
        ]
    }

    pub(crate) fn push(&self, target: &str) -> Call {
        let words = (self.words)(target);
        let mut all = vec![self.program];
        all.extend(words.iter().map(String::as_str));
        Call::new(&all, &self.place).env("KOCACHE", self.place.join("cache"))
    }
}

fn rbuild(target: &str) -> Vec<String> {
    list(&["push", "-q", "oci:image", target])
}

fn crane(target: &str) -> Vec<String> {
    list(&["push", "image", target])
}

fn skopeo(target: &str) -> Vec<String> {
    list(&[
        "copy",
        "-q",
        "--dest-tls-verify=false",
        "oci:image",
        &format!("docker://{target}"),
    ])
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A program by its full path is there; another must be found.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.contains('/')
        || std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
