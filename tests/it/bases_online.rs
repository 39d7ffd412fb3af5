//! A base that is not on this machine comes from its registry: how often it is asked, what an output fetches, what damage costs.

use std::fs;
use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use crate::served::{Served, served};
use crate::support::{TestEnv, tree};
use crate::test_registry::{Action, Rule, TestRegistry};
use crate::warm::{blob, build, build_online, build_with};

#[test]
fn b4_a_cold_pin_costs_three_requests_a_warm_one_none_and_a_tag_one_more() {
    let env = TestEnv::new();
    let base = served(&env);
    let pin = format!("--base {}", base.pin());
    let digest = build_online(&env, &pin).succeeds().digest();
    let expected = [&base.made.index, &base.made.image, &base.config()];
    assert_eq!(base.asked(), expected.map(|digest| format!("GET {digest}")));
    assert_eq!(build_online(&env, &pin).succeeds().digest(), digest);
    assert_eq!(base.asked(), [""; 0]);
    assert_eq!(build(&env, &pin).succeeds().digest(), digest);
    let tag = format!("--base {}", base.tag());
    build_online(&env, &tag).succeeds();
    assert_eq!(base.asked(), ["HEAD v1"]);
    build(&env, &tag)
        .succeeds()
        .says("is taken as recorded in the cache 0 minutes ago");
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn what_a_file_needs_of_the_base_is_fetched_once_and_serves_without_a_network_afterwards() {
    let env = TestEnv::new();
    let base = served(&env);
    let outputs = format!(
        "--oci-archive @/a.tar --tarball @/t.tar --oci-layout-path @/out --base {}",
        base.pin()
    );
    let plan = build_online(&env, &format!("--dry-run {outputs}")).succeeds();
    let size = fs::metadata(blob(&env.path("made"), &base.made.layer)).expect("made");
    let line = format!(
        "fetch 1 layer, {} bytes, from {}\n",
        size.len(),
        base.named("")
    );
    assert!(plan.stdout().contains(&line), "{}", plan.stdout());
    assert_eq!(base.asked().len(), 3, "a plan fetches no layer");
    assert!(!env.path("a.tar").exists());
    let digest = build_online(&env, &outputs).succeeds().digest();
    assert_eq!(base.asked(), [format!("GET {}", base.made.layer)]);
    assert!(blob(&env.path("out"), &base.made.layer).exists());
    assert!(
        !blob(&env.cache().join("img"), &base.made.layer).exists(),
        "the cache of bases keeps what it is told to keep"
    );
    let again = build_online(&env, &format!("--dry-run {outputs}")).succeeds();
    assert!(!again.stdout().contains("fetch"), "{}", again.stdout());
    fs::remove_dir_all(env.path("out")).expect("removed");
    assert_eq!(build(&env, &outputs).succeeds().digest(), digest);
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn layers_that_the_registry_does_not_give_are_told_before_anything_is_compiled() {
    let env = TestEnv::new();
    let base = served(&env);
    let path = format!("/v2/team/base/blobs/{}", base.made.layer);
    let arguments = format!("--tarball @/t.tar --base {}", base.pin());
    let mark = format!("touch \"{}\"", env.path("compiled").display());
    for (status, code) in [(404, 7), (401, 6)] {
        base.there
            .rule(Rule::on("GET", &path).times(1).then(Action::Status(status)));
        build_with(&env, &mark, &arguments).ends_with(code);
        assert!(!env.path("compiled").exists(), "{status}");
    }
    build_with(&env, &mark, &arguments).succeeds();
    assert!(env.path("compiled").exists());
}

#[test]
fn a_layer_that_is_used_is_young_again_and_one_that_vanishes_while_cargo_works_comes_again() {
    let env = TestEnv::new();
    let base = served(&env);
    let arguments = format!("--tarball @/t.tar --base {}", base.pin());
    build_online(&env, &arguments).succeeds();
    let kept = blob(&env.cache().join("build"), &base.made.layer);
    let old = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = File::options().write(true).open(&kept).expect("here");
    file.set_modified(old).expect("set");
    base.asked();
    build_online(&env, &arguments).succeeds();
    assert!(file.metadata().expect("open").modified().expect("known") > old);
    assert_eq!(base.asked(), [""; 0]);
    let remove = format!("rm \"{}\"", kept.display());
    build_with(&env, &remove, &arguments)
        .succeeds()
        .says("is gone from here");
    assert_eq!(base.asked(), [format!("GET {}", base.made.layer)]);
}

#[test]
fn o07_without_a_network_missing_layers_are_refused_with_the_command_that_brings_them() {
    let env = TestEnv::new();
    let base = served(&env);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    base.asked();
    build(&env, &format!("--tarball @/t.tar --base {}", base.pin()))
        .ends_with(4)
        .says(&base.made.layer)
        .says("`rbuild cache warm --layers --platform linux/")
        .says(&base.pin());
    assert_eq!(base.asked(), [""; 0]);
}

/// A world whose cache holds all of the base.
fn warmed(env: &TestEnv) -> Served {
    let base = served(env);
    let command = format!("cache warm --layers {}", base.pin());
    env.rbuild(&env.path("home"), &command).succeeds();
    base.asked();
    base
}

#[test]
fn c03_a_damaged_layer_of_the_base_is_fetched_once_again_or_ends_with_5_offline() {
    let env = TestEnv::new();
    let base = warmed(&env);
    let path = blob(&env.cache().join("img"), &base.made.layer);
    let good = fs::read(&path).expect("here");
    let mut bad = good;
    bad[20] ^= 1;
    for output in [
        "--tarball @/t.tar",
        "--oci-archive @/a.tar",
        "--oci-layout-path @/out",
    ] {
        let arguments = format!("{output} --base {}", base.pin());
        let _ = fs::remove_file(&path);
        fs::write(&path, &bad).expect("written");
        let _ = fs::remove_dir_all(env.cache().join("build"));
        build(&env, &arguments).ends_with(5);
        let name = output.rsplit("@/").next().expect("a name");
        let left = tree(&env.path(name));
        assert!(!env.path(name).is_file(), "{output}");
        assert!(
            !left.iter().any(|name| name.contains(&base.made.layer[7..])),
            "{output}"
        );
        let _ = fs::remove_file(&path);
        fs::write(&path, &bad).expect("written");
        build_online(&env, &arguments).succeeds().says(&format!(
            "the base layer {} is damaged here",
            base.made.layer
        ));
        assert_eq!(base.asked(), [format!("GET {}", base.made.layer)]);
        assert!(env.path(name).exists(), "{output}");
    }
}

#[test]
fn c03_a_layer_that_the_registry_sends_damaged_too_ends_with_5_and_no_file() {
    let env = TestEnv::new();
    let base = served(&env);
    let path = format!("/v2/team/base/blobs/{}", base.made.layer);
    let wrong = Action::answer(200, &[], "wrong");
    base.there.rule(Rule::on("GET", &path).then(wrong));
    build_online(&env, &format!("--tarball @/t.tar --base {}", base.pin())).ends_with(5);
    assert!(!env.path("t.tar").exists());
}

#[test]
fn a_registry_that_is_away_leaves_the_recorded_tag_and_one_that_denies_it_does_not() {
    let env = TestEnv::new();
    let base = served(&env);
    let tag = format!("--base {}", base.tag());
    let digest = build_online(&env, &tag).succeeds().digest();
    base.there
        .rule(Rule::on("HEAD", "*").times(1).then(Action::Status(403)));
    base.there
        .rule(Rule::on("GET", "*/v1").times(1).then(Action::Status(403)));
    build_online(&env, &tag).ends_with(6);
    let host = base.there.host();
    drop(base);
    let built = build_online(&env, &tag)
        .succeeds()
        .says("is taken as recorded in the cache 0 minutes ago")
        .says("because")
        .says(&host);
    assert_eq!(built.digest(), digest);
    build_online(&env, &format!("--base {host}/team/base:v2")).ends_with(7);
}

#[test]
fn mirrors_of_flags_and_of_the_configuration_are_asked_first_and_alone_if_so_wished() {
    let env = TestEnv::new();
    let base = served(&env);
    let mirror = TestRegistry::start();
    base.give(&mirror, "hub/team/base");
    let pin = format!("--base {}", base.pin());
    let flag = format!("--mirror {}={}/hub", base.there.host(), mirror.origin());
    let digest = build_online(&env, &format!("{flag} {pin}"))
        .succeeds()
        .digest();
    assert_eq!(crate::served::asked(&mirror).len(), 3);
    assert_eq!(base.asked(), [""; 0]);

    let other = TestEnv::new();
    let file = other.path("builder.yaml");
    let text = format!("mirrors: {{\"*\": [{}/hub]}}\n", mirror.origin());
    fs::write(&file, text).expect("written");
    let mut command = other.command(&env.path("home"));
    command.env("RBUILD_CONFIG", &file);
    let arguments = format!(
        "cache warm --no-mirror-fallback {} {}",
        base.pin(),
        base.named(":v2")
    );
    let run = crate::support::run(command.args(arguments.split(' ')));
    assert_eq!(run.stdout(), format!("{}\n", base.pin()));
    run.ends_with(7).says("there is no tag `v2`");
    assert_eq!(base.asked(), [""; 0], "the registry itself is left alone");
    assert_eq!(build(&other, &pin).succeeds().digest(), digest);
}

#[test]
fn settings_that_cannot_be_used_are_refused_before_anything_is_asked_offline_too() {
    let env = TestEnv::new();
    for bad in [
        "--mirror mirror.example",
        "--mirror https://me:hunter2@mirror.example",
        "--mirror docker.io=ftp://mirror.example",
        "--base host:99999/x",
        "--base ::1/x",
        "--base host.example/x/",
    ] {
        for run in [build(&env, bad), build_online(&env, bad)] {
            let run = run.ends_with(2);
            assert!(!run.stderr().contains("hunter2"), "{}", run.stderr());
        }
    }
}

#[test]
fn r33_a_registry_is_the_same_in_capitals() {
    let env = TestEnv::new();
    let base = served(&env);
    let port = base.there.host();
    let port = port.rsplit(':').next().expect("a port");
    let name = format!("LOCALHOST:{port}/team/base@{}", base.made.index);
    build_online(&env, &format!("--base {name}")).succeeds();
    assert_eq!(base.asked().len(), 3);
    build_online(&env, &format!("--base {}", name.to_lowercase())).succeeds();
    assert_eq!(base.asked(), [""; 0]);
}
