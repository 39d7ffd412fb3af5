//! One index of four platforms, before the judges that others wrote: it validates, every image of it is the one of a build for that
//! platform alone, and every program runs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::engines::{Bundle, Podman, written};
use crate::feed::skopeo;
use crate::programs::{entry, program, says};
use crate::registry::Registry;
use crate::support::{Run, TestEnv, document, peer, run};

/// In OCI's words; the last has no musl target in rustup and is linked statically with glibc.
const FOUR: [&str; 4] = ["amd64", "arm64", "386", "s390x"];

/// hello built once for the four platforms.
struct Quartet {
    env: TestEnv,
    hello: PathBuf,
    built: Run,
}

impl Quartet {
    fn build() -> Quartet {
        let env = TestEnv::new();
        let hello = env.workspace("hello");
        let outputs = "--oci-layout-path out --oci-archive out.tar";
        let platforms = FOUR.map(|architecture| format!("linux/{architecture}"));
        let arguments = format!("{outputs} --platform {}", platforms.join(","));
        let built = hello_for(&env, &hello, &arguments);
        Quartet { env, hello, built }
    }

    fn layout(&self) -> PathBuf {
        self.hello.join("out")
    }

    /// The descriptors of the index.
    fn children(&self) -> Vec<Value> {
        let index = document(&self.layout(), &entry(&self.layout(), "hello"));
        index["manifests"].as_array().expect("an index").clone()
    }
}

fn hello_for(env: &TestEnv, hello: &Path, arguments: &str) -> Run {
    let build = format!("build . --push=false --profile dev {arguments}");
    env.rbuild(hello, &build).succeeds()
}

#[test]
#[ignore = "needs gcc-s390x-linux-gnu, libc6-dev-s390x-cross, qemu-user-static, rustup's musl targets for amd64, arm64, 386 and s390x-unknown-linux-gnu"]
fn four_platforms_are_an_index_of_what_each_is_alone_and_each_runs() {
    let four = Quartet::build();
    let note = four.built.stderr();
    assert!(note.contains("s390x"), "not a word about glibc: {note}");
    let children = four.children();
    let of = |child: &Value| {
        child["platform"]["architecture"]
            .as_str()
            .map(str::to_owned)
    };
    let order: Vec<_> = children.iter().filter_map(of).collect();
    assert_eq!(order, FOUR, "the order of the request");
    for (architecture, child) in FOUR.iter().zip(&children) {
        let file = program(&four.layout(), "hello", architecture);
        assert_eq!(says(architecture, &file), "hello, world\n");
        let arguments = format!("--platform linux/{architecture}");
        let alone = hello_for(&four.env, &four.hello, &arguments);
        assert_eq!(child["digest"], alone.digest(), "{architecture}");
    }
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, and what four platforms need"]
fn four_platforms_pass_crane_and_skopeo_in_a_registry_as_archive_and_as_tarballs() {
    let four = Quartet::build();
    let registry = Registry::start();
    let there = format!("{}/hello:1", registry.host);
    let image = written(&four.layout(), "hello");
    skopeo(&["copy", "--all", &image, &format!("docker://{there}")]);
    let digest = peer("crane", &["digest", &there]).stdout();
    assert_eq!(digest.trim(), four.built.digest());
    peer("crane", &["validate", "--remote", &there]);
    for architecture in FOUR {
        let platform = format!("linux/{architecture}");
        let words = ["validate", "--remote", &there, "--platform", &platform];
        peer("crane", &words);
        let tarball = format!("{architecture}.tar");
        let arguments = format!("--tarball {tarball} --platform {platform}");
        hello_for(&four.env, &four.hello, &arguments);
        let tarball = four.hello.join(tarball).display().to_string();
        peer("crane", &["validate", "--tarball", &tarball]);
        let remote = format!("docker://{there}");
        let options = [
            "inspect",
            "--tls-verify=false",
            "--override-arch",
            architecture,
        ];
        let seen = skopeo(&[&options[..], &[&remote]].concat()).stdout();
        let seen: Value = serde_json::from_str(&seen).expect("JSON");
        assert_eq!(seen["Architecture"], architecture);
    }
    let archive = four.hello.join("out.tar").display().to_string();
    let archive = format!("oci-archive:{archive}:rbuild.local/hello:latest");
    let back = format!("dir:{}", four.env.path("back").display());
    skopeo(&["copy", "--all", &archive, &back]);
    for child in four.children() {
        let name = child["digest"].as_str().expect("a digest");
        let name = format!("{}.manifest.json", &name["sha256:".len()..]);
        assert!(four.env.path("back").join(&name).is_file(), "{name}");
    }
}

#[test]
#[ignore = "needs podman, runc, skopeo, umoci, qemu-user-static, and what four platforms need"]
fn four_platforms_are_unpacked_by_umoci_and_pulled_by_podman() {
    let four = Quartet::build();
    let image = written(&four.layout(), "hello");
    for architecture in FOUR {
        let rootfs = Bundle::unpack(&four.env, &image, architecture).rootfs();
        assert_eq!(
            says(architecture, &rootfs.join("app/hello")),
            "hello, world\n"
        );
    }
    let registry = Registry::start();
    let there = format!("{}/hello:1", registry.host);
    skopeo(&["copy", "--all", &image, &format!("docker://{there}")]);
    let podman = Podman::new(&four.env, &four.hello);
    for (architecture, child) in FOUR.iter().zip(four.children()) {
        let platform = format!("linux/{architecture}");
        let pull = [
            "pull",
            "--tls-verify=false",
            "--platform",
            &platform,
            &there,
        ];
        run(&mut podman.command(&pull)).succeeds();
        let format = [
            "image",
            "inspect",
            "--format",
            "{{.Architecture}} {{.Digest}}",
            &there,
        ];
        let seen = run(&mut podman.command(&format)).succeeds().stdout();
        let mut seen = seen.split_whitespace();
        assert_eq!(seen.next(), Some(*architecture));
        let digests = [child["digest"].clone(), four.built.digest().into()];
        let digest = seen.next().map(Value::from).expect("a digest");
        assert!(digests.contains(&digest), "{digest} for {architecture}");
    }
    let run_it = [
        "run",
        "--rm",
        "--platform",
        "linux/amd64",
        "--tls-verify=false",
        &there,
    ];
    let said = run(&mut podman.command(&run_it)).succeeds();
    assert_eq!(said.stdout(), "hello, world\n");
}
