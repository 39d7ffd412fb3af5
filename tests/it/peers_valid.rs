//! A3, V01, V03, V05 and V06: what rbuild makes passes for what it is, before the judges that others wrote.

#![expect(clippy::disallowed_methods, reason = "tests start peers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::engines::{Bundle, Podman, written};
use crate::feed::{Feed, blob, put_document, skopeo, two_platforms};
use crate::mutations::{UNSEEN, mutated};
use crate::registry::Registry;
use crate::support::{Run, TestEnv, document, image, peer, run};

const BOTH: &str = "--platform linux/amd64,linux/arm64";

/// The image specification's own judge, over pairs of media type and file.
const JUDGE: &str = r#"package main

import (
	"fmt"
	"os"

	"github.com/opencontainers/image-spec/schema"
)

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		file, err := os.Open(os.Args[i+1])
		if err == nil {
			err = schema.Validator(os.Args[i]).Validate(file)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, os.Args[i+1], err)
			os.Exit(1)
		}
	}
}
"#;

/// Judges each document of a layout by the JSON Schema of the image specification, which the Go module proxy serves.
fn schema(env: &TestEnv, layouts: &[&Path]) -> Run {
    let program = env.path("judge");
    fs::create_dir_all(&program).expect("made");
    fs::write(program.join("main.go"), JUDGE).expect("written");
    let module = "module example.org/judge\n\ngo 1.20\n\nrequire github.com/opencontainers/image-spec v1.1.1\n";
    fs::write(program.join("go.mod"), module).expect("written");
    let mut command = Command::new("go");
    command.args(["run", "."]).current_dir(program);
    command
        .env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local");
    for (media_type, path) in layouts.iter().flat_map(|layout| documents(layout)) {
        command.arg(media_type).arg(path);
    }
    run(&mut command)
}

/// Every JSON document of a layout with its media type.
fn documents(layout: &Path) -> Vec<(String, PathBuf)> {
    let oci = |kind: &str| format!("application/vnd.oci.{kind}+json");
    let mut found = vec![(oci("layout.header.v1"), layout.join("oci-layout"))];
    let mut open = vec![(oci("image.index.v1"), layout.join("index.json"))];
    while let Some((media_type, path)) = open.pop() {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let document: Value = serde_json::from_slice(&bytes).expect("JSON");
        let children = document["manifests"].as_array().into_iter().flatten();
        for child in children.chain(
            document
                .get("config")
                .filter(|config| config.get("digest").is_some()),
        ) {
            let digest = child["digest"].as_str().expect("a digest");
            let media_type = child["mediaType"].as_str().expect("a type");
            open.push((media_type.to_owned(), blob(layout, digest)));
        }
        found.push((media_type, path));
    }
    found
}

#[test]
#[ignore = "needs go and the Go module proxy"]
fn v01_every_document_of_every_output_satisfies_the_schema_of_the_specification() {
    let env = TestEnv::new();
    let (hello, assets) = (env.workspace("hello"), env.workspace("assets"));
    let build = format!("build . --push=false --oci-archive a.tar --oci-layout-path Out {BOTH}");
    env.rbuild(&hello, &build).succeeds();
    env.rbuild(
        &hello,
        "build . --push=false --oci-layout-path Out --base scratch --tags other",
    )
    .succeeds();
    env.rbuild(
        &assets,
        "build . --push=false --oci-layout-path Out --repo r.example/a --tags v1,v2",
    )
    .succeeds();
    let archive = env.path("archive");
    fs::create_dir(&archive).expect("made");
    let words = [hello.join("a.tar"), archive.clone()].map(|path| path.display().to_string());
    peer("tar", &["-xf", &words[0], "-C", &words[1]]);
    let kept = env.cache().join("build");
    let layouts = [hello.join("Out"), assets.join("Out"), archive, kept];
    let layouts = layouts.each_ref().map(PathBuf::as_path);
    let judged: usize = layouts.iter().map(|layout| documents(layout).len()).sum();
    assert!(judged > 20, "{judged} documents");
    schema(&env, &layouts).succeeds();
}

#[test]
#[ignore = "needs go and the Go module proxy"]
fn v07_the_schema_rejects_a_config_without_an_architecture() {
    let env = TestEnv::new();
    let layout = env.path("source");
    let made = two_platforms(&layout);
    schema(&env, &[&layout]).succeeds();
    let mut manifest = document(&layout, &made.amd64);
    let config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}});
    manifest["config"] = put_document(&layout, "config", &config);
    let top =
        json!({"schemaVersion": 2, "manifests": [put_document(&layout, "manifest", &manifest)]});
    fs::write(layout.join("index.json"), top.to_string()).expect("written");
    schema(&env, &[&layout]).ends_with(1).says("architecture");
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, umoci"]
fn v01_an_archive_for_two_platforms_passes_skopeo_crane_and_umoci() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let built = env
        .rbuild(
            &hello,
            &format!("build . --push=false --oci-archive a.tar {BOTH}"),
        )
        .succeeds();
    let archive = hello.join("a.tar").display().to_string();
    let archive = format!("oci-archive:{archive}:rbuild.local/hello:latest");
    skopeo(&[
        "copy",
        "--all",
        &archive,
        &format!("dir:{}", env.path("copy").display()),
    ]);
    let registry = Registry::start();
    let there = format!("{}/hello:1", registry.host);
    skopeo(&["copy", "--all", &archive, &format!("docker://{there}")]);
    assert_eq!(
        peer("crane", &["digest", &there]).stdout().trim(),
        built.digest()
    );
    peer("crane", &["validate", "--remote", &there]);
    for platform in ["linux/amd64", "linux/arm64"] {
        peer(
            "crane",
            &["validate", "--remote", &there, "--platform", platform],
        );
    }
    for architecture in ["amd64", "arm64"] {
        let bundle = Bundle::unpack(&env, &archive, architecture);
        assert!(bundle.rootfs().join("app/hello").is_file());
    }
}

#[test]
#[ignore = "needs crane, docker-registry, skopeo, umoci"]
fn v01_an_image_on_a_pulled_base_passes_crane_and_umoci() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let feed = Feed::start(&env);
    feed.crane_pull(&["--annotate-ref"], &env.cache().join("img"));
    let outputs = "--oci-layout-path Out --tarball docker.tar";
    let build = format!(
        "build . --push=false {outputs} --platform linux/amd64 --base {}",
        feed.tag()
    );
    env.rbuild(&hello, &build).succeeds();
    peer(
        "crane",
        &[
            "validate",
            "--tarball",
            &hello.join("docker.tar").display().to_string(),
        ],
    );
    let image = written(&hello.join("Out"), "hello");
    let rootfs = Bundle::unpack(&env, &image, "amd64").rootfs();
    let base = fs::read_to_string(rootfs.join("etc/base")).expect("the base's file");
    assert_eq!(base, "a base for amd64");
    let there = format!("docker://{}/hello:1", feed.registry.host);
    skopeo(&["copy", &image, &there]);
    peer(
        "crane",
        &["validate", "--remote", &there["docker://".len()..]],
    );
}

#[test]
#[ignore = "needs crane"]
fn v01_tarballs_pass_crane_on_every_base_that_is_built_in() {
    let env = TestEnv::new();
    let assets = env.workspace("assets");
    for base in ["builtin:static", "scratch"] {
        env.rbuild(
            &assets,
            &format!("build . --push=false --tarball {base}.tar --base {base}"),
        )
        .succeeds();
        let file = assets.join(format!("{base}.tar")).display().to_string();
        peer("crane", &["validate", "--tarball", &file]);
    }
}

#[test]
#[ignore = "needs docker-registry, podman, skopeo"]
fn v05_an_image_that_went_through_a_registry_keeps_its_digest() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let built = env
        .rbuild(&hello, "build . --push=false --oci-layout-path Out")
        .succeeds();
    let registry = Registry::start();
    let there = format!("{}/hello:1", registry.host);
    let image = written(&hello.join("Out"), "hello");
    skopeo(&["copy", &image, &format!("docker://{there}")]);
    let back = env.path("back");
    skopeo(&[
        "copy",
        &format!("docker://{there}"),
        &format!("oci:{}:it", back.display()),
    ]);
    let top: Value =
        serde_json::from_slice(&fs::read(back.join("index.json")).expect("there")).expect("JSON");
    assert_eq!(top["manifests"][0]["digest"], built.digest());
    let podman = Podman::new(&env, &hello);
    run(&mut podman.command(&["pull", "--tls-verify=false", &there])).succeeds();
    let format = ["image", "inspect", "--format", "{{.Digest}}", &there];
    assert_eq!(
        run(&mut podman.command(&format)).succeeds().stdout().trim(),
        built.digest()
    );
}

/// The lines of GNU tar's listing of the layers of an image of `layout`, lowest layer first.
fn listing(layout: &Path, digest: &str) -> Vec<Vec<String>> {
    let (manifest, _) = image(layout, digest);
    let layers = manifest["layers"].as_array().expect("a list");
    let list = |layer: &Value| {
        let path = blob(layout, layer["digest"].as_str().expect("a digest"));
        let words = ["--numeric-owner", "--utc", "--full-time", "-tvzf"];
        let mut command = Command::new("tar");
        let listed = run(command.args(words).arg(path).env("LC_ALL", "C")).succeeds();
        assert_eq!(listed.stderr(), "", "GNU tar has nothing to say");
        listed.stdout().lines().map(str::to_owned).collect()
    };
    layers.iter().map(list).collect()
}

#[test]
#[ignore = "needs GNU tar"]
fn v03_v06_gnu_tar_lists_our_layers_with_fixed_owners_modes_and_times() {
    let env = TestEnv::new();
    let assets = env.workspace("assets");
    let mut build = env.wrapped(&assets, &["sh", "-c", "umask 000; exec \"$@\"", "sh"]);
    build.args(["build", ".", "--push=false", "--oci-layout-path", "Out"]);
    let built = run(&mut build).succeeds();
    let layers = listing(&assets.join("Out"), &built.digest());
    assert_eq!(layers.len(), 5, "three of the base, kodata, the binary");
    for line in &layers[3..].concat() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert!(
            ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&fields[0]),
            "{line}"
        );
        assert_eq!(
            (fields[1], fields[3], fields[4]),
            ("0/0", "1970-01-01", "00:00:00"),
            "{line}"
        );
    }
    for layer in &layers {
        relations(layer);
    }
    let sticky: Vec<String> = layers
        .concat()
        .into_iter()
        .filter(|line| &line[8..9] == "w")
        .collect();
    assert!(
        sticky.len() == 2 && sticky.iter().all(|line| line.starts_with("drwxrwxrwt")),
        "only /tmp and /var/tmp are for everybody: {sticky:?}"
    );
    let names: Vec<&str> = layers[4].iter().map(|line| name(line)).collect();
    assert_eq!(names, ["app/", "app/assets"]);
    let (_, config) = image(&assets.join("Out"), &built.digest());
    assert_eq!(config["config"]["User"], "65532:65532");
}

/// Relative names, none twice, none that climbs, and each directory before what is in it.
fn relations(layer: &[String]) {
    let mut seen = BTreeSet::new();
    for name in layer.iter().map(|line| name(line)) {
        assert!(
            !name.starts_with('/') && !name.split('/').any(|part| part == ".."),
            "{name}"
        );
        let whole = name.trim_end_matches('/');
        if let Some((parent, _)) = whole.rsplit_once('/') {
            assert!(
                seen.contains(&format!("{parent}/")),
                "{name} comes before its directory"
            );
        }
        assert!(seen.insert(name.to_owned()), "{name} is there twice");
    }
}

fn name(line: &str) -> &str {
    line.splitn(6, ' ')
        .last()
        .expect("a name")
        .rsplit(' ')
        .next()
        .expect("a name")
}

#[test]
#[ignore = "needs skopeo, umoci"]
fn v07_umoci_sees_in_our_layouts_what_only_an_unpacker_can_see_of_a_bad_base() {
    for defect in UNSEEN.into_iter().chain(["none"]) {
        let env = TestEnv::new();
        let hello = env.workspace("hello");
        mutated(&env.path("base"), defect);
        let base = format!("oci:{}:t", env.path("base").display());
        let mut build = env.command(&hello);
        build.args([
            "build",
            ".",
            "--push=false",
            "--oci-layout-path",
            "Out",
            "--tags",
            "t",
        ]);
        run(build.args(["--base", &base])).succeeds();
        let image = format!("{}:rbuild.local/hello:t", hello.join("Out").display());
        let mut umoci = Command::new("umoci");
        umoci
            .args(["unpack", "--image", &image])
            .arg(env.path("bundle"));
        let accepted = run(&mut umoci).output.status.success();
        assert_eq!(accepted, defect == "none", "{defect}");
    }
}
