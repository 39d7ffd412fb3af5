//! Where a dynamic loader looks for a library (ld.so(8)), inside an image. Pure.
//!
//! The image's `ld.so.cache` is not read: it is made of the same directories. A directory too many can hide a missing library, a
//! directory too few would refuse a program that runs: in doubt a directory is searched.

use super::tree::{self, What};
use super::{Contents, Library};

/// Debian's directories for each machine, which its loader knows by itself.
const TRIPLETS: [&str; 8] = [
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "arm-linux-gnueabihf",
    "i386-linux-gnu",
    "riscv64-linux-gnu",
    "powerpc64le-linux-gnu",
    "s390x-linux-gnu",
    "arm-linux-gnueabi",
];
const USUAL: [&str; 6] = ["lib", "usr/lib", "lib64", "usr/lib64", "lib32", "usr/lib32"];

/// How deep files of `ld.so.conf` may include each other, and how many directories they may name in all.
const DEPTH: usize = 4;
const DIRECTORIES: usize = 1000;

/// Whether libraries lie in this directory wherever they come from.
pub(super) fn is_usual(directory: &str) -> bool {
    let below = |usual: &&str| {
        directory
            .strip_prefix(*usual)
            .and_then(|rest| rest.strip_prefix('/'))
    };
    USUAL.contains(&directory)
        || USUAL
            .iter()
            .filter_map(below)
            .any(|name| TRIPLETS.contains(&name))
}

impl Contents {
    /// The library that a program gets which asks for `name`: its real path and what is known of it. `more` are the directories of
    /// `RUNPATH` and `LD_LIBRARY_PATH`, which come first.
    pub(crate) fn library(&self, name: &str, more: &[String]) -> Option<(String, &Library)> {
        self.library_like(name, more, |_| true)
    }

    /// As [`Contents::library`]; those that do not fit are passed over, as the loader passes over other machines' ones.
    pub(crate) fn library_like(
        &self,
        name: &str,
        more: &[String],
        fits: impl Fn(&Library) -> bool,
    ) -> Option<(String, &Library)> {
        if name.contains('/') {
            return self.at(name).filter(|(_, library)| fits(library));
        }
        let directories = more.iter().cloned().chain(self.directories());
        let mut found = directories.filter_map(|directory| self.at(&format!("{directory}/{name}")));
        found.find(|(_, library)| fits(library))
    }

    /// The dynamic loaders that are here, of whatever machine.
    pub(crate) fn loaders(&self) -> Vec<String> {
        let usual = USUAL.iter().map(|directory| format!("{directory}/ld"));
        let paths = usual.flat_map(|start| self.starting(&start));
        let is_one = |path: &String| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.contains(".so.") && (name.starts_with("ld-") || name.starts_with("ld64."))
        };
        let paths = paths.filter(is_one).map(|path| format!("/{path}"));
        paths.filter(|path| self.file(path).is_some()).collect()
    }

    /// The paths that begin so, none of them further down.
    fn starting(&self, start: &str) -> Vec<String> {
        let all = self.nodes.range(start.to_owned()..);
        let all = all.take_while(|(path, _)| path.starts_with(start));
        let here = all.filter(|(path, _)| !path[start.len()..].contains('/'));
        here.map(|(path, _)| path.clone()).collect()
    }

    /// The library at `path`, with the real path behind all links.
    fn at(&self, path: &str) -> Option<(String, &Library)> {
        let real = tree::real(&self.nodes, path)?;
        match &self.nodes.get(&real)?.what {
            What::Library(library) => Some((format!("/{real}"), library)),
            _ => None,
        }
    }

    /// Every directory that is searched for everybody, in the loader's order.
    fn directories(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.configured("etc/ld.so.conf", DEPTH, &mut all);
        for usual in &USUAL[..4] {
            all.extend(TRIPLETS.map(|triplet| format!("/{usual}/{triplet}")));
        }
        all.extend(USUAL.map(|usual| format!("/{usual}")));
        all.extend(self.musl());
        all
    }

    /// The directories of `/etc/ld-musl-*.path`.
    fn musl(&self) -> Vec<String> {
        let files = self.starting("etc/ld-musl-").into_iter();
        let texts = files.filter_map(|path| match &self.nodes[&path].what {
            What::Paths(text) => Some(text),
            _ => None,
        });
        texts
            .flat_map(|text| words(text).map(str::to_owned))
            .take(DIRECTORIES)
            .collect()
    }

    /// The directories that a file of `ld.so.conf` names, and those of the files that it includes (ldconfig(8)).
    fn configured(&self, file: &str, depth: usize, all: &mut Vec<String>) {
        let node = tree::real(&self.nodes, file).and_then(|real| self.nodes.get(&real));
        let Some(What::Paths(text)) = node.map(|node| &node.what) else {
            return;
        };
        for line in text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
        {
            match line
                .strip_prefix("include")
                .filter(|rest| rest.starts_with([' ', '\t']))
            {
                Some(patterns) => self.include(patterns, depth, all),
                None if line.starts_with("hwcap") => {}
                None => all.extend(words(line).map(str::to_owned)),
            }
            all.truncate(DIRECTORIES);
        }
    }

    fn include(&self, patterns: &str, depth: usize, all: &mut Vec<String>) {
        if depth == 0 || all.len() >= DIRECTORIES {
            return;
        }
        for pattern in patterns.split_whitespace() {
            let pattern = match pattern.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("etc/{pattern}"),
            };
            for file in self.matching(&pattern).iter().take(DIRECTORIES) {
                self.configured(file, depth - 1, all);
            }
        }
    }

    /// Files for a pattern with at most one `*`, which is in its last part; another pattern matches itself.
    fn matching(&self, pattern: &str) -> Vec<String> {
        let Some((before, after)) = pattern.split_once('*') else {
            return vec![pattern.to_owned()];
        };
        let all = self.nodes.range(before.to_owned()..);
        let all = all.take_while(|(path, _)| path.starts_with(before));
        let fits = |path: &str| {
            let rest = &path[before.len()..];
            rest.ends_with(after) && !rest.contains('/')
        };
        all.filter(|(path, _)| fits(path))
            .map(|(path, _)| path.clone())
            .collect()
    }
}

/// Directories, separated by blanks, commas or colons; `=TYPE` behind one is history.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split([' ', '\t', '\n', ',', ':']).map(str::trim);
    let words = words.map(|word| word.split('=').next().unwrap_or_default());
    words.filter(|word| word.starts_with('/'))
}
