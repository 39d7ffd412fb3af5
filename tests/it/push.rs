//! Images to registries: what arrives there, what it costs, what is printed, and what is refused before cargo is asked.

use std::fs;

use serde_json::Value;

use crate::served::{asked, served};
use crate::support::{Run, TestEnv, run, tree};
use crate::test_registry::{Action, Options, Rule, TestRegistry};
use crate::warm::{blob, build, pushing, script};

/// A build of hello that pushes to `team` of this registry.
fn push(env: &TestEnv, to: &TestRegistry, arguments: &str) -> Run {
    let arguments = format!("--repo {}/team {arguments}", to.host());
    run(&mut pushing(env, &[], &arguments))
}

/// The document that a tag or a digest means in `team/hello`.
fn document(registry: &TestRegistry, reference: &str) -> Value {
    let bytes = registry.manifest("team/hello", reference);
    serde_json::from_slice(&bytes.expect(reference)).expect("JSON")
}

fn digests(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|one| one["digest"].as_str().expect("a digest"))
        .collect()
}

#[test]
fn a_build_pushes_the_image_that_it_would_have_kept_and_prints_the_same_digest() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let pushed = push(&env, &registry, "").succeeds();
    let name = format!("{}/team/hello", registry.host());
    assert!(pushed.stdout().starts_with(&format!("{name}@sha256:")));
    let kept = build(&env, "").succeeds();
    assert_eq!(kept.digest(), pushed.digest());
    assert_eq!(registry.tags("team/hello"), ["latest"]);
    let manifest = document(&registry, "latest");
    assert_eq!(manifest, document(&registry, &pushed.digest()));
    let mut blobs = digests(&manifest["layers"]);
    assert_eq!(blobs.len(), 4, "three of the base, one of ours");
    blobs.push(manifest["config"]["digest"].as_str().expect("a digest"));
    for blob in blobs {
        assert!(registry.blob("team/hello", blob).is_some(), "{blob}");
    }
    let pushed = pushed.says(&format!("pushed to {name}: sent 5 ("));
    assert!(pushed.stderr().contains("pushed in "));
}

#[test]
fn b4_an_image_that_is_there_costs_one_request() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let first = push(&env, &registry, "").succeeds().stdout();
    registry.forget_requests();
    let again = push(&env, &registry, "").succeeds().says("there already 5");
    assert_eq!(again.stdout(), first);
    assert_eq!(asked(&registry), ["HEAD latest"]);
}

#[test]
fn another_tag_for_an_image_that_is_there_is_one_manifest_more() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    push(&env, &registry, "").succeeds();
    registry.forget_requests();
    push(&env, &registry, "-t latest,v2,v3").succeeds();
    assert_eq!(registry.tags("team/hello"), ["latest", "v2", "v3"]);
    assert_eq!(registry.count("PUT", "*/manifests/*"), 2);
    assert_eq!(registry.count("*", "*/blobs/*"), 0);
}

#[test]
fn layers_of_a_base_in_the_same_registry_are_mounted_and_never_travel() {
    let env = TestEnv::new();
    let base = served(&env);
    let pushed = push(&env, &base.there, &format!("--base {}", base.pin())).succeeds();
    assert!(
        base.there.blob("team/hello", &base.made.layer).is_some(),
        "it is there"
    );
    let mounts = base.there.requests().into_iter();
    let mounts = mounts.filter(|seen| {
        seen.query.contains(&base.made.layer.replace(':', "%3A"))
            || seen.query.contains(&base.made.layer)
    });
    assert!(
        mounts
            .filter(|seen| seen.query.contains("from=team"))
            .count()
            == 1
    );
    assert_eq!(
        base.there
            .count("GET", &format!("*/blobs/{}", base.made.layer)),
        0
    );
    pushed.says("sent 2 (").stderr().contains("mounted 1");
    for store in ["img", "build"] {
        assert!(!blob(&env.cache().join(store), &base.made.layer).exists());
    }
}

#[test]
fn layers_of_a_base_elsewhere_pass_through_without_touching_the_disk() {
    let env = TestEnv::new();
    let base = served(&env);
    let target = TestRegistry::start();
    let pushed = push(&env, &target, &format!("--base {}", base.pin())).succeeds();
    let layer = target.blob("team/hello", &base.made.layer);
    assert_eq!(layer, base.there.blob("team/base", &base.made.layer));
    assert!(layer.is_some());
    pushed.says("sent 3 (");
    let held = tree(&env.cache());
    let hex = base.made.layer.replace("sha256:", "");
    assert!(!held.iter().any(|name| name.contains(&hex)), "{held:?}");
}

#[test]
fn c03_a_layer_that_is_damaged_here_comes_from_where_the_base_came_from() {
    let env = TestEnv::new();
    let base = served(&env);
    let warm = format!("cache warm --layers {}", base.pin());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let file = blob(&env.cache().join("img"), &base.made.layer);
    let mut bytes = fs::read(&file).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::remove_file(&file).expect("removed");
    fs::write(&file, &bytes).expect("written");
    let target = TestRegistry::start();
    push(&env, &target, &format!("--base {}", base.pin())).succeeds();
    assert_eq!(
        target.blob("team/hello", &base.made.layer),
        base.there.blob("team/base", &base.made.layer)
    );
    assert!(!file.exists(), "it is in the quarantine");
}

#[test]
fn tags_name_the_image_and_one_of_them_is_printed() {
    let env = TestEnv::new();
    for (arguments, tags, printed) in [
        ("-t v1", &["v1"][..], "/team/hello:v1@sha256:"),
        ("--tags v1,v2", &["v1", "v2"], "/team/hello@sha256:"),
        ("-t latest", &["latest"], "/team/hello@sha256:"),
        ("-t v1 --tag-only", &["v1"], "/team/hello:v1\n"),
        ("--bare -t v1", &["v1"], "/team:v1@sha256:"),
        ("-P", &["latest"], "/team/hello@sha256:"),
    ] {
        let registry = TestRegistry::start();
        let pushed = push(&env, &registry, arguments).succeeds().stdout();
        let expected = format!("{}{printed}", registry.host());
        assert!(pushed.starts_with(&expected), "{arguments}: {pushed}");
        let repository = printed[1..].split([':', '@']).next().expect("a name");
        assert_eq!(registry.tags(repository), tags, "{arguments}");
        let kept = format!("--push=false --repo {}/team {arguments}", registry.host());
        let kept = run(&mut pushing(&env, &[], &kept)).succeeds();
        assert_eq!(kept.stdout(), pushed, "{arguments}");
    }
}

#[test]
fn what_cannot_be_pushed_is_refused_before_cargo_is_asked() {
    let env = TestEnv::new();
    let never = script(&env.path("never"), "echo cargo was asked >&2; exit 77");
    for (arguments, sentence) in [
        ("", "no repository to push to"),
        ("--repo r.example/team --offline", "the run is offline"),
        ("--repo r.example/team --frozen", "the run is offline"),
        ("--repo r.example/Team", "write `r.example/team`"),
        ("--repo r.example/team:v1", "holds a tag"),
        ("--repo ko.local", "docker load"),
        ("--repo kind.local", "kind load image-archive"),
        ("--repo rbuild.local", "no repository to push to"),
        ("--repo r.example/team -t a/b", "is not a tag"),
        ("--repo r.example/team --tag-only", "exactly one tag"),
        ("--repo r.example/team --tag-only -t a,b", "exactly one tag"),
    ] {
        let mut command = pushing(&env, &[], arguments);
        let refused = run(command.env("CARGO", &never)).ends_with(2);
        let refused = refused.says(sentence);
        assert_eq!(refused.stdout(), "", "{arguments}");
        assert!(!refused.stderr().contains("cargo was asked"));
    }
    let mut command = pushing(&env, &[], "");
    let offline = command
        .env("RBUILD_OFFLINE", "1")
        .env("RBUILD_REPO", "r.example/t");
    run(offline)
        .ends_with(2)
        .says("drop it, or add `--push=false`");
}

#[test]
fn a_plan_shows_each_name_and_asks_no_registry() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let shown = push(&env, &registry, "--dry-run -t v1,v2")
        .succeeds()
        .stdout();
    let name = format!("{}/team/hello", registry.host());
    let end = format!("push {name}:v1\npush {name}:v2\n");
    assert!(shown.ends_with(&end), "{shown}");
    assert_eq!(asked(&registry), [""; 0]);
}

#[test]
fn files_that_tell_about_the_image_are_written_after_the_push_and_not_without_it() {
    let env = TestEnv::new();
    let files = "--image-refs @/refs --metadata-file @/meta.json --oci-archive @/a.tar";
    let registry = TestRegistry::start();
    registry.rule(Rule::on("PUT", "*/manifests/*").then(Action::Status(403)));
    let failed = push(&env, &registry, files).ends_with(6);
    assert_eq!(failed.stdout(), "");
    failed.says(&format!("cannot push `{}/team/hello`", registry.host()));
    assert!(!env.path("refs").exists() && !env.path("meta.json").exists());
    assert!(env.path("a.tar").exists(), "files come first");
    let registry = TestRegistry::start();
    let pushed = push(&env, &registry, files).succeeds();
    let refs = fs::read_to_string(env.path("refs")).expect("written");
    assert_eq!(refs, pushed.stdout());
    let meta = fs::read_to_string(env.path("meta.json")).expect("written");
    assert!(meta.contains(&pushed.digest()), "{meta}");
}

#[test]
fn an_image_whose_push_failed_rests_in_the_cache_and_can_be_pushed_again() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    registry.rule(
        Rule::on("PUT", "*/manifests/*")
            .times(1)
            .then(Action::Status(403)),
    );
    push(&env, &registry, "-t v1").ends_with(6);
    assert_eq!(registry.tags("team/hello"), [""; 0]);
    let again = format!("push {}/team/hello:v1", registry.host());
    let pushed = env.rbuild(&env.path("home"), &again).succeeds();
    let expected = format!("{}/team/hello:v1@sha256:", registry.host());
    assert!(pushed.stdout().starts_with(&expected));
    assert_eq!(registry.tags("team/hello"), ["v1"]);
}

/// The twins, two images, to a registry.
fn twins(env: &TestEnv, registry: &TestRegistry) -> Run {
    let workspace = env.workspace("twins");
    let command = format!(
        "build . --workspace --base scratch --repo {}/team --image-refs refs",
        registry.host()
    );
    env.rbuild(&workspace, &command)
}

#[test]
fn of_several_images_those_that_were_pushed_are_printed_and_the_failure_is_the_answer() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let both = twins(&env, &registry).succeeds().stdout();
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!(lines.len(), 2, "{both}");
    let second = lines[1].split('@').next().expect("a name");
    let second = second.strip_prefix(&format!("{}/", registry.host()));
    let registry = TestRegistry::start();
    let path = format!("/v2/{}/manifests/*", second.expect("there"));
    registry.rule(Rule::on("PUT", &path).then(Action::Status(403)));
    let failed = twins(&env, &registry).ends_with(6).says("cannot push");
    let printed = failed.stdout();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let end = |line: &str| line.split_once("/team/").map(|(_, end)| end.to_owned());
    assert_eq!(end(printed.trim()), end(lines[0]));
}

#[test]
fn what_two_images_share_is_mounted_from_the_first() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let workspace = env.workspace("twins");
    let command = format!("build . --workspace --repo {}/team", registry.host());
    let pushed = env.rbuild(&workspace, &command).succeeds();
    pushed.says("mounted 3");
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn n07_of_two_pushes_to_one_tag_the_last_wins_and_both_images_are_whole() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let name = format!("{}/team", registry.host());
    let start = |label: &str| {
        let arguments = format!("--repo {name} --image-label which={label}");
        let mut command = pushing(&env, &[], &arguments);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().expect("started")
    };
    let children = [start("a"), start("b")];
    let ends = children.map(|child| Run {
        output: child.wait_with_output().expect("it ends"),
    });
    let digests = ends.map(|end| end.succeeds().digest());
    assert_ne!(digests[0], digests[1]);
    let last = document(&registry, "latest");
    assert!(
        digests
            .iter()
            .any(|digest| document(&registry, digest) == last)
    );
    for digest in &digests {
        let manifest = document(&registry, digest);
        let config = manifest["config"]["digest"].as_str().expect("a digest");
        let blobs = self::digests(&manifest["layers"]).into_iter();
        for blob in blobs.chain([config]) {
            assert!(registry.blob("team/hello", blob).is_some(), "{blob}");
        }
    }
}

#[test]
fn progress_is_told_in_plain_lines_and_quiet_tells_nothing() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let plain = push(&env, &registry, "--progress plain").succeeds();
    let told = plain.stderr();
    let lines = told.lines().filter(|line| line.ends_with(": pushed"));
    assert_eq!(lines.count(), 5, "{told}");
    assert!(!told.contains('\r') && !told.contains('\u{1b}'), "{told}");
    let registry = TestRegistry::start();
    let quiet = push(&env, &registry, "-q").succeeds();
    assert_eq!(quiet.stderr(), "");
    assert_eq!(quiet.stdout().lines().count(), 1);
}

#[test]
fn a_registry_that_takes_nothing_is_an_error_with_its_words() {
    let env = TestEnv::new();
    let registry = TestRegistry::with(Options {
        read_only: true,
        ..Options::default()
    });
    let failed = push(&env, &registry, "").ends_with(7);
    assert_eq!(failed.stdout(), "");
    failed
        .says(&registry.host())
        .says("405")
        .says("it takes no images");
}

#[test]
fn a_base_in_a_layout_is_pushed_from_it_and_what_it_lacks_must_be_there() {
    let env = TestEnv::new();
    let lacking = env.path("lacking");
    let made = crate::support::base(&lacking, false, &[]);
    let registry = TestRegistry::start();
    let arguments = format!("--base oci:@/lacking@{}", made.index);
    push(&env, &registry, &arguments)
        .ends_with(4)
        .says(&made.layer)
        .says("does not have them either");
    let only = format!("HEAD {}", made.layer);
    assert_eq!(asked(&registry), [only], "before cargo, before any push");
    let full = crate::support::base(&lacking, true, &[]);
    assert_eq!(full.layer, made.layer);
    push(&env, &registry, &arguments).succeeds();
    assert!(registry.blob("team/hello", &made.layer).is_some());
    fs::remove_file(blob(&lacking, &made.layer)).expect("removed");
    push(
        &env,
        &registry,
        &format!("{arguments} -t v2 --image-label a=b"),
    )
    .succeeds();
}
