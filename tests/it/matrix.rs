//! A desk with rbuild and the clients of others on it, and what every registry of the matrix must do: take an image, and give it back
//! as it was printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::clients::Clients;
use crate::engines::Podman;
use crate::feed::two_platforms;
use crate::registry::{PASSWORD, Program, Registry, RegistryOptions, USER};
use crate::support::{Run, TestEnv, run, tree};
use crate::warm::{faults_of, pushing};

pub(crate) const DISTRIBUTIONS: [Program; 2] = [Program::Distribution2, Program::Distribution3];

/// A registry of this program, with what `change` asks for.
pub(crate) fn start(program: Program, change: impl FnOnce(&mut RegistryOptions<'_>)) -> Registry {
    let mut options = RegistryOptions {
        program,
        ..RegistryOptions::default()
    };
    change(&mut options);
    Registry::start_with(&options)
}

/// rbuild and the others, who share one docker configuration.
pub(crate) struct Desk {
    pub(crate) env: TestEnv,
    pub(crate) clients: Clients,
    podman: OnceLock<Podman>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk::with(|clients| clients)
    }

    /// With clients that trust or know more.
    pub(crate) fn with(change: impl FnOnce(Clients) -> Clients) -> Desk {
        let env = TestEnv::new();
        let clients = change(Clients::new(&env));
        Desk {
            env,
            clients,
            podman: OnceLock::new(),
        }
    }

    /// With credentials for this registry in the docker configuration.
    pub(crate) fn of_user(registry: &Registry) -> Desk {
        Desk::with(|clients| clients.logged_in(&registry.host, USER, PASSWORD))
    }

    /// The directory of the docker configuration.
    fn docker(&self) -> PathBuf {
        let file = self.clients.auth_file();
        file.parent().expect("a directory").to_owned()
    }

    /// A build of hello that is pushed to `team` of this registry, not started yet.
    pub(crate) fn pushing(&self, host: &str, arguments: &str) -> Command {
        let arguments = format!("--repo {host}/team {arguments}");
        let mut command = pushing(&self.env, &[], &arguments);
        command.env("DOCKER_CONFIG", self.docker());
        command
    }

    pub(crate) fn push(&self, host: &str, arguments: &str) -> Run {
        run(&mut self.pushing(host, arguments))
    }

    /// Any other sub-command, not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.env.command(&self.env.path("home"));
        command.args(words).env("DOCKER_CONFIG", self.docker());
        command
    }

    pub(crate) fn rbuild(&self, words: &[&str]) -> Run {
        run(&mut self.command(words))
    }

    /// crane puts a base for two platforms there, as `HOST/base:1`; returns `HOST/base@` and the digest of its index.
    pub(crate) fn give_base(&self, host: &str) -> String {
        let source = self.env.path("source");
        let written = two_platforms(&source);
        let name = format!("{host}/base");
        let source = source.display().to_string();
        let crane = ["push", "--index", &source, &format!("{name}:1")];
        self.clients.crane(&crane).succeeds();
        format!("{name}@{}", written.index)
    }

    /// crane, skopeo and podman get from there what was printed, byte for byte.
    pub(crate) fn gets_back(&self, name: &str, digest: &str) {
        self.crane_gets(name, digest);
        self.skopeo_gets(name, digest);
        self.podman_gets(name, digest);
    }

    pub(crate) fn crane_gets(&self, name: &str, digest: &str) {
        let known = self.clients.crane(&["digest", name]).succeeds();
        assert_eq!(known.stdout().trim(), digest, "{name}");
        self.clients
            .crane(&["validate", "--remote", name])
            .succeeds();
        let to = self.env.path("by crane");
        let crane = ["pull", "--format", "oci", name, &to.display().to_string()];
        self.clients.crane(&crane).succeeds();
        is_whole(&to, digest);
    }

    pub(crate) fn skopeo_gets(&self, name: &str, digest: &str) {
        let to = self.env.path("by skopeo");
        let layout = format!("oci:{}:it", to.display());
        let skopeo = ["copy", "--all", &format!("docker://{name}"), &layout];
        self.clients.skopeo(&skopeo).succeeds();
        is_whole(&to, digest);
    }

    pub(crate) fn podman_gets(&self, name: &str, digest: &str) {
        let verify = format!("--tls-verify={}", self.clients.verifies());
        self.podman(&["pull", &verify, name]).succeeds();
        let format = "{{range .RepoDigests}}{{.}} {{end}}";
        let known = self.podman(&["image", "inspect", "--format", format, name]);
        let known = known.succeeds().stdout();
        assert!(known.contains(&format!("@{digest} ")), "{name}: {known}");
    }

    pub(crate) fn podman(&self, arguments: &[&str]) -> Run {
        let podman = || Podman::new(&self.env, &self.env.path("home"));
        let mut command = self.podman.get_or_init(podman).command(arguments);
        self.clients.settle(&mut command);
        // It refuses a file that is not there.
        if !self.clients.auth_file().exists() {
            command.env_remove("REGISTRY_AUTH_FILE");
        }
        run(&mut command)
    }
}

/// The layout holds this image, every blob of it under its digest, and goes away for the next.
fn is_whole(layout: &Path, digest: &str) {
    let index = std::fs::read(layout.join("index.json")).expect("pulled");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    assert_eq!(index["manifests"][0]["digest"], digest);
    assert_eq!(faults_of(layout), [""; 0]);
    assert!(
        tree(&layout.join("blobs")).len() >= 3,
        "manifest, config, layer"
    );
    std::fs::remove_dir_all(layout).expect("removed");
}

/// What rbuild asked for in a repository, from `since` on, without what the registry made up for an upload.
pub(crate) fn asked(registry: &Registry, since: usize, repository: &str) -> Vec<String> {
    let there = format!("/v2/{repository}/");
    let lines = registry.asked().into_iter().skip(since);
    let lines = lines.filter_map(|line| {
        let (method, rest) = line.split_once(' ')?;
        Some(format!("{method} {}", rest.strip_prefix(&there)?))
    });
    lines.collect()
}

/// Bodies of blobs that rbuild sent, by digest, from `since` on.
pub(crate) fn sent(registry: &Registry, since: usize) -> Vec<String> {
    let lines = registry.asked().into_iter().skip(since);
    let puts = lines.filter(|line| line.starts_with("PUT ") && line.contains("/blobs/uploads/"));
    let digest = |line: &str| {
        let (_, rest) = line.split_once("digest=")?;
        Some(rest.split([' ', '&']).next()?.replace("%3A", ":"))
    };
    puts.filter_map(|line| digest(&line)).collect()
}

/// Digests of the layers for this machine's platform of the base of [`Desk::give_base`], or of the other one.
pub(crate) fn layers_of_base(desk: &Desk, pin: &str) -> Vec<String> {
    let source = desk.env.path("source");
    let (_, digest) = pin.split_once('@').expect("a pin");
    let index = crate::support::document(&source, digest);
    let images = index["manifests"].as_array().expect("a list").iter();
    let layer = |image: &Value| {
        let manifest = crate::support::document(&source, image["digest"].as_str()?);
        Some(manifest["layers"][0]["digest"].as_str()?.to_owned())
    };
    images.filter_map(layer).collect()
}
