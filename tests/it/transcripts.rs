//! What a user sees, word for word: each `testdata/cli/NAME.cmd` is run, and what it says is `NAME.expected`.
//!
//! The machine is made up, so that programs and rust targets of the real one do not matter: PATH is a directory with cargo, a rustc that
//! names a sysroot of empty files, and the programs that the transcript names. Nothing here may compile.
//!
//! Lines of a `.cmd`: `# why`, `workspace NAME`, `targets TRIPLE…`, `programs NAME…`, `config YAML` (a line of .builder.yaml),
//! `base PLATFORM [full] [NAME…]` (an image in the cache, called `BASE` afterwards, its layer `LAYER`), `served` (the image `team/base:v1` of a
//! registry called `REGISTRY`, with its pin `PIN`), `file NAME TEXT`, `first ARGUMENTS` (the program, earlier), `old DAYS` (all that is in the cache),
//! `spoilt DIGEST` and `gone DIGEST` (a blob of the cache), `emptied` (the cache), `variable NAME=VALUE`, `without rust-lld`, and last `rbuild ARGUMENTS`.
//! After a change that is meant: `BLESS=1 cargo test --test it transcripts`, and read the difference.

#![expect(
    clippy::disallowed_methods,
    reason = "whether expectations are written anew is asked of the environment, and what is old of the clock"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::served::{Served, served_for};
use crate::support::{Run, TestEnv, base_for, run, tree};

/// The triple that the made-up rustc runs on.
const HOST: &str = "x86_64-unknown-linux-gnu";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cli")
}

/// The machine and the command of one transcript.
struct Scene {
    env: TestEnv,
    here: PathBuf,
    variables: Vec<(String, String)>,
    /// What words of a script stand for.
    meanings: Vec<(&'static str, String)>,
    served: Option<Served>,
    command: String,
}

impl Scene {
    fn set(script: &str) -> Scene {
        let env = TestEnv::new();
        let here = env.path("empty");
        fs::create_dir(&here).expect("made");
        let mut scene = Scene {
            env,
            here,
            variables: Vec::new(),
            meanings: Vec::new(),
            served: None,
            command: String::new(),
        };
        scene.toolchain();
        for line in script.lines().filter(|line| !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            scene.prepare(word, &scene.meant(rest));
        }
        assert!(!scene.command.is_empty(), "a transcript ends with rbuild");
        scene
    }

    /// cargo as it is, and a rustc that says where the made-up sysroot lies and leaves everything else to the real one.
    fn toolchain(&self) {
        let cargo = Path::new(env!("CARGO"));
        let rustc = cargo.with_file_name("rustc");
        fs::create_dir(self.env.path("path")).expect("made");
        symlink(cargo, self.env.path("path/cargo")).expect("linked");
        let sysroot = self.env.path("sysroot");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *host-tuple*) echo '{}'; echo {HOST};; *) exec '{}' \"$@\";; esac\n",
            sysroot.display(),
            rustc.display()
        );
        self.program("rustc", &script);
        self.file(&format!("sysroot/lib/rustlib/{HOST}/bin/rust-lld"));
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.env.path("path").join(name);
        fs::write(&file, script).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    }

    fn file(&self, name: &str) {
        let file = self.env.path(name);
        fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        fs::write(file, "").expect("written");
    }

    fn prepare(&mut self, word: &str, rest: &str) {
        let words = rest.split(' ');
        match word {
            "workspace" => self.here = self.env.workspace(rest),
            "targets" => words
                .for_each(|name| self.file(&format!("sysroot/lib/rustlib/{name}/lib/libstd.rlib"))),
            "programs" => words.for_each(|name| self.program(name, "#!/bin/sh\nexit 1\n")),
            "config" => self.configure(rest),
            "base" => self.cached(rest),
            "served" => self.serve(),
            "file" => {
                let (name, text) = rest.split_once(' ').expect("NAME TEXT");
                fs::write(self.here.join(name), text.replace("\\n", "\n")).expect("written");
            }
            "first" => drop(self.run(rest).succeeds()),
            "old" => self.grow_old(rest.parse().expect("days")),
            "spoilt" => self.blob(rest, |file| fs::write(file, "spoilt").expect("written")),
            "gone" => self.blob(rest, |_| ()),
            "emptied" => fs::remove_dir_all(self.env.cache()).expect("removed"),
            "variable" => {
                let (name, value) = rest.split_once('=').expect("NAME=VALUE");
                self.variables.push((name.to_owned(), value.to_owned()));
            }
            "without" => {
                let lld = format!("sysroot/lib/rustlib/{HOST}/bin/{rest}");
                fs::remove_file(self.env.path(&lld)).expect("removed");
            }
            "rbuild" => rest.clone_into(&mut self.command),
            other => panic!("`{other}` is no word of a transcript"),
        }
    }

    fn configure(&self, line: &str) {
        let file = self.here.join(".builder.yaml");
        let written = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, format!("{written}{line}\n")).expect("written");
    }

    /// A text of the script, with what its words stand for.
    fn meant(&self, text: &str) -> String {
        let meanings = self.meanings.iter();
        meanings.fold(text.to_owned(), |text, (word, meaning)| {
            text.replace(word, meaning)
        })
    }

    /// An image for a platform that lies in the cache, without its layer unless that is wanted.
    fn cached(&mut self, rest: &str) {
        let mut words: Vec<&str> = rest.split(' ').collect();
        let architecture = words.remove(0).trim_start_matches("linux/");
        let is_full = words.first() == Some(&"full");
        let names = &words[usize::from(is_full)..];
        let img = self.env.cache().join("img");
        let made = base_for(architecture, &img, (is_full, names));
        let pin = format!("r.example/base@{}", made.index);
        self.meanings.extend([("BASE", pin), ("LAYER", made.layer)]);
    }

    /// An image for linux/amd64 in a registry.
    fn serve(&mut self) {
        let served = served_for("amd64", &self.env);
        self.meanings.push(("PIN", served.pin()));
        self.meanings.push(("REGISTRY", served.there.host()));
        self.meanings.push(("LAYER", served.made.layer.clone()));
        self.served = Some(served);
    }

    fn grow_old(&self, days: u64) {
        let time = SystemTime::now() - Duration::from_secs(days * 86_400 + 3_600);
        for name in tree(&self.env.cache()) {
            let file = fs::File::open(self.env.cache().join(name)).expect("ours");
            file.set_modified(time).expect("ours");
        }
    }

    /// Takes a blob out of the bases of the cache, and does something in its place.
    fn blob(&self, digest: &str, replace: impl FnOnce(&Path)) {
        let file = crate::warm::blob(&self.env.cache().join("img"), digest);
        fs::remove_file(&file).expect("it was there");
        replace(&file);
    }

    fn run(&self, arguments: &str) -> Run {
        let mut command = self.env.command(&self.here);
        command
            .args(arguments.split(' '))
            .env("PATH", self.env.path("path"))
            .env("CARGO_HOME", self.env.path("cargo home"))
            .env_remove("RUSTUP_TOOLCHAIN");
        for name in ["CC", "CXX", "AR", "CFLAGS", "HOST_CC", "TARGET_CC", "ZIG"] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().cloned());
        run(&mut command)
    }

    /// What was said, without what differs from machine to machine.
    fn told(&self) -> String {
        let run = self.run(&self.command);
        let code = run.output.status.code().expect("an end");
        let said = format!(
            "exit code {code}\n--- stdout\n{}--- stderr\n{}",
            run.stdout(),
            run.stderr()
        );
        let root = self.env.path("");
        let root = root.to_str().expect("UTF-8").trim_end_matches('/');
        let said = said.replace(root, "/machine");
        let said = match &self.served {
            Some(served) => said.replace(&served.there.host(), "REGISTRY"),
            None => said,
        };
        let versions = ["cargo", "rustc"].map(version);
        let said = versions.iter().fold(said, |said, (name, version)| {
            said.replace(version, &format!("{name} VERSION"))
        });
        without_digests(&said)
    }
}

/// What `cargo --version` and its like say.
fn version(program: &'static str) -> (&'static str, String) {
    let file = Path::new(env!("CARGO")).with_file_name(program);
    let mut command = crate::support::command(file.to_str().expect("UTF-8"), &["--version"]);
    (
        program,
        run(&mut command).succeeds().stdout().trim().to_owned(),
    )
}

/// Every run of 64 hexadecimal digits as one word.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit());
        let (digits, more) = rest.split_at(end.unwrap_or(rest.len()));
        out.push_str(if digits.len() == 64 { "DIGEST" } else { digits });
        let next = more.chars().next();
        out.extend(next);
        rest = &more[next.map_or(0, char::len_utf8)..];
    }
    out
}

#[test]
fn digests_are_one_word_and_nothing_else_is() {
    let digest = "0a".repeat(32);
    assert_eq!(
        without_digests(&format!("x@sha256:{digest} → abc {digest}0")),
        format!("x@sha256:DIGEST → abc {digest}0")
    );
}

/// The transcripts whose names begin with one of these words.
fn scripts(words: &[&str]) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory()).expect("listed");
    let scripts = listed.map(|entry| entry.expect("an entry").path());
    let mut scripts: Vec<PathBuf> = scripts
        .filter(|path| path.extension().is_some_and(|end| end == "cmd"))
        .filter(|path| words.contains(&first_word(path)))
        .collect();
    scripts.sort();
    scripts
}

fn first_word(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split('-').next())
        .expect("a name")
}

fn assert_unchanged(words: &[&str]) {
    let scripts = scripts(words);
    assert!(scripts.len() > 10, "{} transcripts", scripts.len());
    let broken: Vec<String> = scripts
        .iter()
        .filter_map(|script| differs(script))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_transcript_of_a_build_is_what_the_program_says_today() {
    assert_unchanged(&["build"]);
}

#[test]
fn every_transcript_of_the_doctor_is_what_the_program_says_today() {
    assert_unchanged(&["doctor"]);
}

#[test]
fn every_transcript_about_bases_is_what_the_program_says_today() {
    assert_unchanged(&["base", "config"]);
}

#[test]
fn every_transcript_of_the_cache_is_what_the_program_says_today() {
    assert_unchanged(&["cache"]);
}

#[test]
fn no_transcript_is_passed_over() {
    let listed = fs::read_dir(directory()).expect("listed");
    let names = listed.map(|entry| entry.expect("an entry").file_name());
    let all = names.filter(|name| name.to_string_lossy().ends_with(".cmd"));
    let known = scripts(&["base", "build", "cache", "config", "doctor"]);
    assert_eq!(all.count(), known.len());
}

/// How a transcript differs from today, if it does.
fn differs(script: &Path) -> Option<String> {
    let scene = Scene::set(&fs::read_to_string(script).expect("read"));
    let told = scene.told();
    let kept = script.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&kept, &told).expect("written");
    }
    let expected = fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        !scene.here.join("target").exists(),
        "{} compiles",
        script.display()
    );
    (told != expected).then(|| format!("{}\n{told}", script.display()))
}
