//! Item 6: real clients cannot tell the test registry from a registry.

use crate::clients::Clients;
use crate::feed::{TwoPlatforms, two_platforms};
use crate::support::{TestEnv, hex, peer};
use crate::test_registry::{Auth, Authority, Options, TestRegistry};

/// A layout with an image for two platforms, and its path as an argument.
fn layout(env: &TestEnv) -> (TwoPlatforms, String) {
    let path = env.path("source");
    let written = two_platforms(&path);
    (written, path.display().to_string())
}

fn with(auth: Auth) -> TestRegistry {
    TestRegistry::with(Options {
        auth,
        ..Options::default()
    })
}

#[test]
#[ignore = "needs crane"]
fn crane_pushes_pulls_copies_lists_and_deletes() {
    let env = TestEnv::new();
    let (written, source) = layout(&env);
    let registry = TestRegistry::start();
    let clients = Clients::new(&env);
    let crane = |arguments: &[&str]| clients.crane(arguments).succeeds().stdout();
    let name = |path: &str| format!("{}/{path}", registry.host());
    crane(&["push", &source, &name("a/b:v1")]);
    assert_eq!(crane(&["digest", &name("a/b:v1")]).trim(), written.index);
    crane(&[
        "validate",
        "--remote",
        &name("a/b:v1"),
        "--platform",
        "linux/arm64",
    ]);
    crane(&["copy", &name("a/b:v1"), &name("c/d:v2")]);
    crane(&["tag", &name("c/d:v2"), "v3"]);
    assert_eq!(crane(&["ls", &name("c/d")]), "v2\nv3\n");
    assert_eq!(crane(&["catalog", &registry.host()]), "a/b\nc/d\n");
    let pulled = env.path("pulled").display().to_string();
    crane(&["pull", "--format", "oci", &name("c/d:v3"), &pulled]);
    let index = std::fs::read(crate::feed::blob(
        env.path("pulled").as_path(),
        &written.index,
    ));
    assert_eq!(
        format!("sha256:{}", hex(&index.expect("pulled"))),
        written.index
    );
    crane(&["delete", &name("c/d:v2")]);
    assert_eq!(registry.tags("c/d"), ["v3"]);
    crane(&["delete", &format!("{}@{}", name("c/d"), written.index)]);
    clients
        .crane(&["digest", &name("c/d:v3")])
        .ends_with(1)
        .says("MANIFEST_UNKNOWN");
    // The copy brought no bytes: its blobs were mounted.
    assert_eq!(registry.count("PATCH", "/v2/c/d/*"), 0);
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_pushes_pulls_copies_lists_and_deletes() {
    let env = TestEnv::new();
    let (written, source) = layout(&env);
    let registry = TestRegistry::start();
    let clients = Clients::new(&env);
    let skopeo = |arguments: &[&str]| clients.skopeo(arguments).succeeds().stdout();
    let name = |path: &str| format!("docker://{}/{path}", registry.host());
    skopeo(&[
        "copy",
        "--all",
        &format!("oci:{source}:base"),
        &name("a/b:v1"),
    ]);
    skopeo(&["copy", "--all", &name("a/b:v1"), &name("c/d:v2")]);
    let raw = skopeo(&["inspect", "--raw", &name("c/d:v2")]);
    assert_eq!(format!("sha256:{}", hex(raw.as_bytes())), written.index);
    assert!(skopeo(&["list-tags", &name("c/d")]).contains("\"v2\""));
    let pulled = env.path("pulled").display().to_string();
    skopeo(&["copy", "--all", &name("c/d:v2"), &format!("oci:{pulled}:x")]);
    assert_eq!(
        registry
            .manifest("c/d", "v2")
            .map(|bytes| format!("sha256:{}", hex(&bytes))),
        Some(written.index)
    );
    skopeo(&["delete", &name("c/d:v2")]);
    assert_eq!(registry.tags("c/d"), Vec::<String>::new());
}

#[test]
#[ignore = "needs regctl"]
fn regctl_pushes_pulls_copies_lists_deletes_and_refers() {
    let env = TestEnv::new();
    let (written, source) = layout(&env);
    let registry = TestRegistry::start();
    let clients = Clients::new(&env).plain(&registry.host());
    let regctl = |arguments: &[&str]| clients.regctl(arguments).succeeds().stdout();
    let name = |path: &str| format!("{}/{path}", registry.host());
    regctl(&[
        "image",
        "copy",
        &format!("ocidir://{source}:base"),
        &name("a/b:v1"),
    ]);
    regctl(&["image", "copy", &name("a/b:v1"), &name("c/d:v2")]);
    assert_eq!(
        regctl(&["image", "digest", &name("c/d:v2")]).trim(),
        written.index
    );
    let note = env.path("note.json").display().to_string();
    std::fs::write(&note, "{}").expect("written");
    for kind in ["application/example.sbom", "application/example.signature"] {
        regctl(&[
            "artifact",
            "put",
            "--artifact-type",
            kind,
            "--subject",
            &name("c/d:v2"),
            "--file",
            &note,
        ]);
    }
    let list = |more: &[&str]| regctl(&[&["artifact", "list", &name("c/d:v2")], more].concat());
    assert_eq!(
        list(&[])
            .matches("ArtifactType: application/example.")
            .count(),
        2
    );
    let filter = ["--filter-artifact-type", "application/example.sbom"];
    assert_eq!(
        list(&filter)
            .matches("ArtifactType: application/example.")
            .count(),
        1
    );
    // The API was used, not the tag that stands in for it.
    assert_eq!(registry.tags("c/d"), ["v2"]);
    let pulled = format!("ocidir://{}:x", env.path("pulled").display());
    regctl(&["image", "copy", "--referrers", &name("c/d:v2"), &pulled]);
    regctl(&["tag", "delete", &name("c/d:v2")]);
    assert_eq!(registry.tags("c/d"), Vec::<String>::new());
    regctl(&[
        "manifest",
        "delete",
        &format!("{}@{}", name("c/d"), written.index),
    ]);
    assert_eq!(registry.manifest("c/d", &written.index), None);
}

#[test]
#[ignore = "needs crane, regctl, skopeo"]
fn the_others_log_in_with_basic_and_with_tokens() {
    let env = TestEnv::new();
    let (_, source) = layout(&env);
    for auth in [Auth::basic("user", "s3cret"), Auth::token("user", "s3cret")] {
        let registry = with(auth);
        let host = registry.host();
        let stranger = Clients::new(&env)
            .logged_in(&host, "user", "wrong")
            .plain(&host);
        stranger
            .crane(&["push", &source, &format!("{host}/a:v1")])
            .ends_with(1);
        assert_eq!(registry.blobs("a"), Vec::<String>::new());
        let user = Clients::new(&env)
            .logged_in(&host, "user", "s3cret")
            .plain(&host);
        user.crane(&["push", &source, &format!("{host}/a:v1")])
            .succeeds();
        let (from, to) = (
            format!("docker://{host}/a:v1"),
            format!("docker://{host}/b:v1"),
        );
        user.skopeo(&["copy", "--all", &from, &to]).succeeds();
        let (from, to) = (format!("{host}/b:v1"), format!("{host}/c:v1"));
        user.regctl(&["image", "copy", &from, &to]).succeeds();
        assert_eq!(registry.manifest("a", "v1"), registry.manifest("c", "v1"));
    }
}

#[test]
#[ignore = "needs crane, regctl, skopeo"]
fn the_others_speak_tls_with_an_authority_that_they_are_told_of() {
    let env = TestEnv::new();
    let (_, source) = layout(&env);
    let authority = Authority::new();
    let registry = TestRegistry::https(&authority);
    let host = registry.host();
    let stranger = Clients::new(&env).trusting(&Authority::new().pem());
    stranger
        .crane(&["push", &source, &format!("{host}/a:v1")])
        .ends_with(1)
        .says("x509");
    let clients = Clients::new(&env).trusting(&authority.pem());
    clients
        .crane(&["push", &source, &format!("{host}/a:v1")])
        .succeeds();
    let (from, to) = (
        format!("docker://{host}/a:v1"),
        format!("docker://{host}/b:v1"),
    );
    clients.skopeo(&["copy", "--all", &from, &to]).succeeds();
    let (from, to) = (format!("{host}/b:v1"), format!("{host}/c:v1"));
    clients.regctl(&["image", "copy", &from, &to]).succeeds();
    assert_eq!(registry.manifest("a", "v1"), registry.manifest("c", "v1"));
}

#[test]
#[ignore = "needs crane, regctl, skopeo"]
fn the_others_follow_relative_locations_and_redirects() {
    let env = TestEnv::new();
    let (_, source) = layout(&env);
    let far = TestRegistry::start();
    let near = TestRegistry::with(Options {
        relative_locations: true,
        redirect_blobs_to: Some(far.origin()),
        contents: Some(far.contents()),
        ..Options::default()
    });
    let host = near.host();
    let clients = Clients::new(&env).plain(&host);
    clients
        .crane(&["push", &source, &format!("{host}/a:v1")])
        .succeeds();
    clients
        .crane(&[
            "validate",
            "--remote",
            &format!("{host}/a:v1"),
            "--platform",
            "linux/amd64",
        ])
        .succeeds();
    let pulled = env.path("pulled").display().to_string();
    clients
        .skopeo(&[
            "copy",
            "--all",
            &format!("docker://{host}/a:v1"),
            &format!("oci:{pulled}:x"),
        ])
        .succeeds();
    clients
        .regctl(&[
            "image",
            "copy",
            &format!("ocidir://{pulled}:x"),
            &format!("{host}/b:v1"),
        ])
        .succeeds();
    assert_eq!(near.manifest("a", "v1"), near.manifest("b", "v1"));
    assert!(far.count("GET", "/v2/a/blobs/*") > 0);
    assert_eq!(far.count("*", "/v2/*/manifests/*"), 0);
}

#[test]
#[ignore = "needs go, ko, crane"]
fn ko_publishes_on_a_base_that_lies_there() {
    let env = TestEnv::new();
    let (_, source) = layout(&env);
    let registry = TestRegistry::start();
    let clients = Clients::new(&env);
    let base = format!("{}/base:v1", registry.host());
    clients.crane(&["push", &source, &base]).succeeds();
    let program = env.path("tiny");
    std::fs::create_dir_all(&program).expect("made");
    std::fs::write(
        program.join("go.mod"),
        "module example.org/tiny\n\ngo 1.20\n",
    )
    .expect("written");
    std::fs::write(program.join("main.go"), "package main\n\nfunc main() {}\n").expect("written");
    // Compiled Go is shared: a standard library for two platforms takes half a minute.
    let cache = peer("go", &["env", "GOCACHE"]).stdout();
    let mut ko = clients.command("ko");
    ko.args(["build", "--bare", "--sbom=none", "--platform=all", "."])
        .current_dir(program);
    ko.env("KO_DOCKER_REPO", format!("{}/team/tiny", registry.host()));
    ko.env("KO_DEFAULTBASEIMAGE", &base)
        .env("KOCACHE", env.cache());
    ko.env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", cache.trim());
    let run = crate::support::run(&mut ko).succeeds();
    let digest = run.digest();
    assert_eq!(registry.tags("team/tiny"), ["latest"]);
    assert_eq!(
        registry.manifest("team/tiny", "latest"),
        registry.manifest("team/tiny", &digest)
    );
}
