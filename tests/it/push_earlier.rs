//! `rbuild push`: what was built without a push goes to a registry later, perhaps from another network.

use std::fs;
use std::path::Path;

use crate::served::{Served, asked, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Rule, TestRegistry};
use crate::warm::{blob, build, build_online, pushing};

/// `rbuild push` with these words; `@/` stands for the world's directory.
fn push(env: &TestEnv, words: &str) -> Run {
    let root = format!("{}/", env.path("").display());
    let words = words.split(' ').map(|word| word.replace("@/", &root));
    run(env.command(&env.path("home")).arg("push").args(words))
}

#[test]
fn an_image_that_was_kept_is_pushed_under_the_name_that_was_printed() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let host = registry.host();
    let kept = build(&env, &format!("--repo {host}/team -t v1")).succeeds();
    assert_eq!(asked(&registry), [""; 0]);
    let pushed = push(&env, kept.stdout().trim()).succeeds();
    assert_eq!(pushed.stdout(), kept.stdout());
    assert_eq!(registry.tags("team/hello"), ["v1"]);
    let by_build = run(&mut pushing(
        &env,
        &[],
        &format!("--repo {host}/team -t v1"),
    ));
    assert_eq!(by_build.succeeds().stdout(), kept.stdout());
}

#[test]
fn a_destination_and_tags_can_be_given() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let kept = build(&env, "").succeeds();
    let digest = kept.digest();
    let there = format!("{}/other/name", registry.host());
    let pushed = push(&env, &format!("{} {there}", kept.stdout().trim())).succeeds();
    assert_eq!(pushed.stdout(), format!("{there}@{digest}\n"));
    pushed.says(&format!("pushed to {there}: sent 5 ("));
    push(&env, &format!("hello {there}:v1 -t v2")).succeeds();
    push(&env, &format!("{digest} {there} -t v3")).succeeds();
    assert_eq!(registry.tags("other/name"), ["latest", "v1", "v2", "v3"]);
}

#[test]
fn b4_an_image_that_is_there_costs_one_request() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    build(&env, &format!("--repo {}/team", registry.host())).succeeds();
    let image = format!("{}/team/hello", registry.host());
    push(&env, &image).succeeds();
    registry.forget_requests();
    push(&env, &image).succeeds().says("there already 5");
    assert_eq!(asked(&registry), ["HEAD latest"]);
}

#[test]
fn what_is_not_known_is_refused_with_what_there_is_and_nothing_is_asked() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    build(&env, "").succeeds();
    let there = format!("{}/x", registry.host());
    push(&env, &format!("none {there}"))
        .ends_with(2)
        .says("there is no image `none`")
        .says("there is `rbuild.local/hello:latest`");
    push(&env, "hello")
        .ends_with(2)
        .says("name one: `rbuild push hello ");
    push(&env, &format!("hello {there}/Y"))
        .ends_with(2)
        .says("cannot push there");
    let mut offline = env.command(&env.path("home"));
    offline
        .args(["push", "hello", &there])
        .env("RBUILD_OFFLINE", "1");
    run(&mut offline).ends_with(2).says("the run is offline");
    assert_eq!(asked(&registry), [""; 0]);
    assert_eq!(
        push(&env, &format!("hello {there}"))
            .succeeds()
            .stdout()
            .lines()
            .count(),
        1
    );
}

#[test]
fn layers_of_the_base_that_no_build_fetched_come_from_its_registry() {
    let env = TestEnv::new();
    let base = served(&env);
    let kept = build_online(&env, &format!("--base {}", base.pin())).succeeds();
    base.asked();
    let target = TestRegistry::start();
    push(
        &env,
        &format!("{} {}/team/hello", kept.digest(), target.host()),
    )
    .succeeds();
    assert_eq!(base.asked(), [format!("GET {}", base.made.layer)]);
    assert!(target.blob("team/hello", &base.made.layer).is_some());
    let near = format!("{} {}/team/hello", kept.digest(), base.there.host());
    push(&env, &near).succeeds().says("mounted 1");
    assert_eq!(base.there.count("GET", "*/blobs/*"), 0);
}

/// Turns the base's documents into Docker's, which have no annotations.
fn as_docker(layout: &Path, digest: &str) -> String {
    let file = blob(layout, digest);
    let text = fs::read_to_string(&file).expect("there");
    let oci = "application/vnd.oci.image.";
    let text = text
        .replace(
            &format!("{oci}manifest.v1+json"),
            "application/vnd.docker.distribution.manifest.v2+json",
        )
        .replace(
            &format!("{oci}config.v1+json"),
            "application/vnd.docker.container.image.v1+json",
        )
        .replace(
            &format!("{oci}layer.v1.tar+gzip"),
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        );
    crate::warm::put(layout, text.as_bytes())
}

#[test]
fn a_base_of_docker_is_remembered_although_its_manifests_have_no_annotations() {
    let env = TestEnv::new();
    let base = served(&env);
    let image = as_docker(&env.path("made"), &base.made.image);
    let bytes = fs::read(blob(&env.path("made"), &image)).expect("made");
    let media_type = "application/vnd.docker.distribution.manifest.v2+json";
    base.there
        .put_manifest("team/base", &image, media_type, &bytes);
    let pin = base.named(&format!("@{image}"));
    let kept = build_online(&env, &format!("--base {pin}")).succeeds();
    let target = TestRegistry::start();
    let there = format!("{} {}/team/hello", kept.digest(), target.host());
    push(&env, &there).succeeds();
    assert!(target.blob("team/hello", &base.made.layer).is_some());
    fs::remove_dir_all(env.cache().join("build/.rbuild/records/origins")).expect("removed");
    let elsewhere = TestRegistry::start();
    let there = format!("{} {}/team/hello", kept.digest(), elsewhere.host());
    push(&env, &there).ends_with(4).says(&base.made.layer);
}

#[test]
fn an_annotation_says_where_the_base_is_when_nothing_was_written_down() {
    let env = TestEnv::new();
    let base = served(&env);
    let kept = build_online(&env, &format!("--base {}", base.tag())).succeeds();
    fs::remove_dir_all(env.cache().join("build/.rbuild/records/origins")).expect("removed");
    let target = TestRegistry::start();
    push(
        &env,
        &format!("{} {}/team/hello", kept.digest(), target.host()),
    )
    .succeeds();
    assert!(target.blob("team/hello", &base.made.layer).is_some());
}

#[test]
fn a_layout_is_pushed_whole_and_unchanged() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let host = registry.host();
    let outputs = format!("--repo {host}/team -t v1 --oci-layout-path @/out");
    let kept = build(&env, &outputs).succeeds();
    let other = TestEnv::new();
    fs::rename(env.path("out"), other.path("out")).expect("moved");
    let pushed = push(&other, "oci:@/out").succeeds();
    assert_eq!(pushed.stdout(), kept.stdout());
    let named = format!("oci:@/out:{host}/team/hello:v1 {host}/x:v2");
    push(&other, &named).succeeds();
    assert_eq!(registry.tags("x"), ["v2"]);
    let bytes = registry.manifest("x", "v2").expect("there");
    assert_eq!(
        format!("sha256:{}", crate::support::hex(&bytes)),
        kept.digest()
    );
}

/// A layout with a whole image but for its base's layer, and with records that say where it is.
fn lacking(env: &TestEnv, base: &Served) {
    let outputs = format!("--base {} --oci-layout-path @/out", base.pin());
    build_online(env, &outputs).succeeds();
    let records = env.path("out/.rbuild/records");
    fs::create_dir_all(records.parent().expect("a directory")).expect("made");
    fs::rename(env.cache().join("build/.rbuild/records"), records).expect("moved");
    fs::remove_file(blob(&env.path("out"), &base.made.layer)).expect("removed");
    fs::remove_dir_all(env.cache()).expect("removed");
    base.asked();
}

#[test]
fn a_layout_does_not_choose_which_registries_are_asked() {
    let env = TestEnv::new();
    let base = served(&env);
    lacking(&env, &base);
    let target = TestRegistry::start();
    let there = format!("oci:@/out {}/x", target.host());
    let named = base.named("");
    push(&env, &there)
        .ends_with(4)
        .says(&base.made.layer)
        .says(&format!("the image names the base `{named}"))
        .says(&format!("`rbuild cache warm --layers {named}"));
    assert_eq!(base.asked(), [""; 0]);
    assert_eq!(target.tags("x"), [""; 0]);
    let near = format!("oci:@/out {}/x", base.there.host());
    push(&env, &near).succeeds().says("mounted 1");
    let warm = format!("cache warm --layers {}", base.pin());
    env.rbuild(&env.path("home"), &warm).succeeds();
    push(&env, &there).succeeds();
    assert!(target.blob("x", &base.made.layer).is_some());
}

#[test]
fn builtin_layers_are_made_again_for_an_image_that_was_only_kept() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let kept = build(&env, "").succeeds();
    let before = crate::support::tree(&env.cache().join("build/blobs")).len();
    assert_eq!(before, 3, "a layer, a config, a manifest");
    push(&env, &format!("{} {}/x", kept.digest(), registry.host())).succeeds();
    assert_eq!(registry.blobs("x").len(), 5);
}

#[test]
fn c04_a_damaged_layer_that_comes_from_nowhere_else_is_tried_once() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let kept = build(&env, "").succeeds();
    let store = env.cache().join("build");
    let manifest = crate::support::document(&store, &kept.digest());
    let layers = manifest["layers"].as_array().expect("a list");
    let layer = layers.last().expect("ours")["digest"].as_str();
    let file = blob(&store, layer.expect("text"));
    let mut bytes = fs::read(&file).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::remove_file(&file).expect("removed");
    fs::write(&file, bytes).expect("written");
    push(&env, &format!("hello {}/x", registry.host())).ends_with(5);
    assert_eq!(registry.count("HEAD", "*/manifests/latest"), 1);
}

#[test]
fn an_image_without_a_repository_goes_into_the_one_that_the_environment_names() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let digest = build(&env, "").succeeds().digest();
    let team = format!("{}/team", registry.host());
    let mut command = env.command(&env.path("home"));
    command.args(["push", "hello"]).env("RBUILD_REPO", &team);
    let pushed = run(&mut command).succeeds();
    assert_eq!(pushed.stdout(), format!("{team}/hello@{digest}\n"));
    let flag = format!("{}/flag", registry.host());
    let pushed = push(&env, &format!("hello --repo {flag}")).succeeds();
    assert_eq!(pushed.stdout(), format!("{flag}/hello@{digest}\n"));
    push(&env, &format!("hello {team}/x --repo {flag}")).ends_with(2);
}

#[test]
fn n08_the_user_says_how_many_blobs_travel_at_once() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let slowly = Action::Delay(50, Box::new(Action::Pass));
    registry.rule(Rule::on("PUT", "*/blobs/uploads/*").then(slowly));
    build(&env, "").succeeds();
    let there = format!("hello {}/x", registry.host());
    push(&env, &format!("{there} -j 0")).ends_with(2);
    push(&env, &format!("{there} --jobs 1")).succeeds();
    assert_eq!(registry.most_at_once(), 1);
}

#[test]
fn c02_a_damaged_manifest_is_never_pushed() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    let kept = build(&env, "").succeeds();
    let file = blob(&env.cache().join("build"), &kept.digest());
    let bytes = fs::read_to_string(&file)
        .expect("there")
        .replace("sha256", "sha265");
    fs::remove_file(&file).expect("removed");
    fs::write(&file, bytes).expect("written");
    push(&env, &format!("{} {}/x", kept.digest(), registry.host())).ends_with(5);
    assert_eq!(asked(&registry), [""; 0]);
}

#[test]
fn s05_a_reader_that_went_away_does_not_undo_a_push() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    build(&env, "").succeeds();
    for (redirection, code) in [(">&-", 0), ("2>&-", 0), (">/dev/full", 8)] {
        let script = format!("exec \"$@\" {redirection}");
        let there = format!("{}/x{code}{}", registry.host(), redirection.len());
        let mut command = env.wrapped(&env.path("home"), &["sh", "-c", &script, "sh"]);
        run(command.args(["push", "hello", &there])).ends_with(code);
        let repository = there.split_once('/').expect("a path").1;
        assert_eq!(registry.tags(repository), ["latest"], "{redirection}");
    }
}
