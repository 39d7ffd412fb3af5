//! What the tests of the binary stand on: a world of their own, and sentences about a run.
//!
//! Nothing of the user's is touched: HOME, KOCACHE and target directories are temporary. Only rustup's toolchain and cargo's
//! registry cache are shared, because a test must not fetch them again.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and its peers"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A home, a cache and a place for workspaces that go away with it.
pub(crate) struct TestEnv {
    root: tempfile::TempDir,
}

impl TestEnv {
    pub(crate) fn new() -> TestEnv {
        let root = tempfile::Builder::new()
            .prefix("rbuild test ")
            .tempdir()
            .expect("a temporary directory");
        std::fs::create_dir(root.path().join("home")).expect("made");
        TestEnv { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// A copy of `testdata/workspaces/NAME`, whose target directory is its own.
    pub(crate) fn workspace(&self, name: &str) -> PathBuf {
        let to = self.path(name);
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("testdata/workspaces")
                .join(name),
            &to,
        );
        to
    }

    /// The program with arguments separated by spaces, to be run in `directory`.
    pub(crate) fn rbuild(&self, directory: &Path, arguments: &str) -> Run {
        run(self.command(directory).args(arguments.split_whitespace()))
    }

    /// The program in this world, to be given arguments, variables and a wrapper.
    pub(crate) fn command(&self, directory: &Path) -> Command {
        self.wrapped(directory, &[])
    }

    /// As [`TestEnv::command`], behind a wrapper such as `unshare -rn`.
    pub(crate) fn wrapped(&self, directory: &Path, wrapper: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_rbuild");
        let mut words = wrapper.iter().copied().chain([program]);
        let mut command = Command::new(words.next().expect("the program"));
        command
            .args(words)
            .current_dir(directory)
            .stdin(Stdio::null());
        self.prepare(&mut command);
        command
    }

    /// Gives a command this world's environment and nothing of ours that could matter.
    fn prepare(&self, command: &mut Command) {
        let home = std::env::var_os("HOME").unwrap_or_default();
        let kept = |name: &str, below: &str| {
            std::env::var_os(name).unwrap_or_else(|| Path::new(&home).join(below).into())
        };
        let (cargo_home, rustup_home) =
            (kept("CARGO_HOME", ".cargo"), kept("RUSTUP_HOME", ".rustup"));
        let ours = |name: &str| {
            name.starts_with("RBUILD_")
                || name.starts_with("KO_")
                || name.starts_with("CARGO_")
                || name == "RUSTFLAGS"
        };
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(ours) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.path("home"))
            .env("KOCACHE", self.cache());
        command
            .env("CARGO_HOME", cargo_home)
            .env("RUSTUP_HOME", rustup_home)
            .env("LC_ALL", "C");
        for name in [
            "DOCKER_CONFIG",
            "REGISTRY_AUTH_FILE",
            "XDG_CONFIG_HOME",
            "XDG_RUNTIME_DIR",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
            "RUST_LOG",
        ] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        // Pauses between tries count as they should and are slept a thousand times shorter.
        command.env("RBUILD_TEST_PATIENCE", "hasty");
        command
            .env_remove("XDG_CACHE_HOME")
            .env_remove("SOURCE_DATE_EPOCH")
            .env_remove("CARGO")
            .env_remove("RUSTC");
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "target" {
            continue;
        }
        let kind = entry.file_type().expect("a type");
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&path).expect("a link"), target)
                .expect("linked");
        } else if kind.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("copied");
        }
    }
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) output: Output,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Run {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Run { output }
}

/// A peer with arguments, to be run by [`run`].
pub(crate) fn command<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a peer; its failure is the test's.
pub(crate) fn peer<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Run {
    run(Command::new(program).args(arguments)).succeeds()
}

impl Run {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).expect("UTF-8")
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub(crate) fn succeeds(self) -> Run {
        self.ends_with(0)
    }

    pub(crate) fn ends_with(self, code: i32) -> Run {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}\n{}",
            self.stdout(),
            self.stderr()
        );
        self
    }

    pub(crate) fn says(self, sentence: &str) -> Run {
        assert!(
            self.stderr().contains(sentence),
            "`{sentence}` is not in:\n{}",
            self.stderr()
        );
        self
    }

    /// The digest in the one reference on standard output.
    pub(crate) fn digest(&self) -> String {
        let stdout = self.stdout();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        let digest = stdout
            .trim()
            .split_once('@')
            .expect("a digest")
            .1
            .to_owned();
        assert!(
            digest.starts_with("sha256:") && digest.len() == 71,
            "{digest}"
        );
        digest
    }
}

/// A document of a layout directory by its digest.
pub(crate) fn document(layout: &Path, digest: &str) -> Value {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The manifest and the config of an image (or of the first image of an index) in a layout.
pub(crate) fn image(layout: &Path, digest: &str) -> (Value, Value) {
    let mut manifest = document(layout, digest);
    if let Some(child) = manifest["manifests"][0]["digest"].as_str() {
        manifest = document(layout, child);
    }
    let config = document(
        layout,
        manifest["config"]["digest"].as_str().expect("a digest"),
    );
    (manifest, config)
}

/// Every file below a directory, relative and sorted.
pub(crate) fn tree(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else {
            continue;
        };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                names.push(
                    path.strip_prefix(directory)
                        .expect("below")
                        .display()
                        .to_string(),
                );
            }
        }
    }
    names.sort();
    names
}

/// A base written by hand as other tools write it: an OCI layout with one image of one layer, in the index of its platform.
pub(crate) struct MadeBase {
    /// Of the index over the image.
    pub(crate) index: String,
    /// Of the image alone.
    pub(crate) image: String,
    pub(crate) layer: String,
}

/// Writes a base into the layout at `directory`; `named` entries are added to its index.json, layers only if `full`.
pub(crate) fn base(directory: &Path, full: bool, named: &[&str]) -> MadeBase {
    base_for(architecture(), directory, (full, named))
}

/// As [`base`], for another architecture than this machine's.
pub(crate) fn base_for(
    architecture: &str,
    directory: &Path,
    (full, named): (bool, &[&str]),
) -> MadeBase {
    use std::io::Write;
    let put = |bytes: &[u8], keep: bool| {
        let digest = hex(bytes);
        let blobs = directory.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("made");
        if keep {
            std::fs::write(blobs.join(&digest), bytes).expect("written");
        }
        (format!("sha256:{digest}"), bytes.len())
    };
    let mut header = tar::Header::new_ustar();
    header.set_size(6);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_data(&mut header, "etc/base", &b"a base"[..])
        .expect("in memory");
    let tar = archive.into_inner().expect("in memory");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).expect("in memory");
    let (layer, layer_size) = put(&gzip.finish().expect("in memory"), full);
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let config = serde_json::json!({"os": "linux", "architecture": architecture, "config": {"Env": ["PATH=/bin"], "User": "7"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&tar))]}});
    let (config, config_size) = put(config.to_string().as_bytes(), true);
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": oci("manifest.v1+json"),
        "config": {"mediaType": oci("config.v1+json"), "digest": config, "size": config_size},
        "layers": [{"mediaType": oci("layer.v1.tar+gzip"), "digest": layer, "size": layer_size}]});
    let (image, image_size) = put(manifest.to_string().as_bytes(), true);
    let platform = serde_json::json!({"os": "linux", "architecture": architecture});
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": oci("index.v1+json"),
        "manifests": [{"mediaType": oci("manifest.v1+json"), "digest": image, "size": image_size, "platform": platform}]});
    let (index, index_size) = put(index.to_string().as_bytes(), true);
    let entry = |name: &&str| {
        serde_json::json!({"mediaType": oci("index.v1+json"), "digest": index, "size": index_size,
            "annotations": {"org.opencontainers.image.ref.name": name}})
    };
    let entries: Vec<Value> = named.iter().map(entry).collect();
    let top = serde_json::json!({"schemaVersion": 2, "manifests": entries});
    std::fs::write(directory.join("index.json"), top.to_string()).expect("written");
    std::fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
    MadeBase {
        index,
        image,
        layer,
    }
}

/// OCI's word for the architecture of this machine.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
