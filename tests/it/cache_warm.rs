//! `rbuild cache warm`: what it keeps, what it asks, what it says.

use std::fs;

use serde_json::{Value, json};

use crate::limits::large;
use crate::served::{Served, served};
use crate::support::{Run, TestEnv};
use crate::test_registry::{Action, Rule};
use crate::warm::{blob, build};

fn warm(env: &TestEnv, arguments: &str) -> Run {
    env.rbuild(&env.path("home"), &format!("cache warm {arguments}"))
}

/// Whether the cache holds the base's layer.
fn is_full(env: &TestEnv, base: &Served) -> bool {
    blob(&env.cache().join("img"), &base.made.layer).exists()
}

#[test]
fn metadata_is_kept_by_default_and_layers_if_asked_for() {
    let env = TestEnv::new();
    let base = served(&env);
    let run = warm(&env, &base.tag())
        .succeeds()
        .says("metadata of linux/");
    let pinned = format!("{}@{}", base.tag(), base.made.index);
    assert_eq!(run.stdout(), format!("{pinned}\n"));
    assert_eq!(base.asked().len(), 4);
    assert!(!is_full(&env, &base));
    let run = warm(&env, &format!("--layers {}", base.tag())).succeeds();
    run.says("1 layer fetched");
    let layer = format!("GET {}", base.made.layer);
    assert_eq!(base.asked(), ["HEAD v1".to_owned(), layer]);
    assert!(is_full(&env, &base));
    let listed = env
        .rbuild(&env.path("home"), "cache ls")
        .succeeds()
        .stdout();
    assert!(
        listed.starts_with(&format!("{}\t{}", base.tag(), base.made.index))
            && listed.contains("\tfull\t"),
        "{listed}"
    );
    build(
        &env,
        &format!("--oci-archive @/a.tar --base {}", base.tag()),
    )
    .succeeds();
    build(&env, &format!("--oci-archive @/b.tar --base {pinned}")).succeeds();
}

#[test]
fn b4_what_is_complete_costs_one_head_for_a_tag_and_nothing_for_a_digest() {
    let env = TestEnv::new();
    let base = served(&env);
    let all = format!("--layers {} {}", base.tag(), base.pin());
    warm(&env, &all).succeeds();
    base.asked();
    warm(&env, &all).succeeds().says("0 layers fetched");
    assert_eq!(base.asked(), ["HEAD v1"]);
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_OFFLINE", "1");
    let arguments = format!("cache warm {all}");
    crate::support::run(command.args(arguments.split(' '))).succeeds();
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn a_tag_whose_layers_did_not_come_is_not_recorded() {
    let env = TestEnv::new();
    let base = served(&env);
    let path = format!("/v2/team/base/blobs/{}", base.made.layer);
    base.there
        .rule(Rule::on("GET", &path).times(1).then(Action::Status(404)));
    let arguments = format!("--layers {}", base.tag());
    let listed = || env.rbuild(&env.path("home"), "cache ls").stdout();
    warm(&env, &arguments).ends_with(7).says(&base.made.layer);
    assert!(!listed().contains(&base.tag()), "{}", listed());
    warm(&env, &arguments).succeeds();
    assert!(listed().contains(&base.tag()), "{}", listed());
}

#[test]
fn a_pin_that_was_fetched_is_listed_by_its_name() {
    let env = TestEnv::new();
    let base = served(&env);
    warm(&env, &base.pin()).succeeds();
    let listed = env
        .rbuild(&env.path("home"), "cache ls")
        .succeeds()
        .stdout();
    assert!(listed.starts_with(&base.pin()), "{listed}");
}

#[test]
fn all_is_every_platform_and_another_platform_is_refused_with_what_there_is() {
    let env = TestEnv::new();
    let base = served(&env);
    warm(&env, &format!("--platform all {}", base.tag())).succeeds();
    warm(&env, &format!("--platform linux/s390x {}", base.tag()))
        .ends_with(2)
        .says("it offers linux/");
    warm(&env, &format!("--platform all,linux/amd64 {}", base.tag()))
        .ends_with(2)
        .says("`all` stands beside other platforms");
    let mut command = env.command(&env.path("home"));
    command.env("RBUILD_DEFAULT_PLATFORMS", "all");
    crate::support::run(command.args(["cache", "warm", &base.tag()])).succeeds();
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_being_tried() {
    let env = TestEnv::new();
    let base = served(&env);
    let names = [base.named(":no"), base.pin(), base.named("/none:v1")].join(" ");
    let run = warm(&env, &names)
        .ends_with(7)
        .says("there is no tag `no`")
        .says("/none");
    assert_eq!(run.stdout(), format!("{}\n", base.pin()));
}

#[test]
fn bases_that_no_registry_has_need_no_warming() {
    let env = TestEnv::new();
    let run = warm(&env, "builtin:static scratch oci:somewhere").succeeds();
    assert_eq!(run.stdout(), "");
    run.says("`builtin:static` needs no warming")
        .says("`scratch` needs no warming")
        .says("somewhere` needs no warming");
}

#[test]
fn offline_what_is_missing_is_named_and_a_bad_name_or_option_is_wrong_usage() {
    let env = TestEnv::new();
    let base = served(&env);
    let offline = |arguments: String| {
        let mut command = env.command(&env.path("home"));
        command.env("RBUILD_OFFLINE", "1").args(["cache", "warm"]);
        crate::support::run(command.args(arguments.split(' ')))
    };
    offline(base.pin()).ends_with(4).says(&base.made.index);
    warm(&env, &base.pin()).succeeds();
    offline(format!("--layers {}", base.pin()))
        .ends_with(4)
        .says(&base.made.layer);
    warm(&env, &format!("--offline --layers {}", base.pin()))
        .ends_with(4)
        .says(&base.made.layer);
    for bad in [
        "--offline --force x",
        "A/B:c d",
        "-j 0 x",
        "--layers --metadata x",
        "--platform linux x",
    ] {
        warm(&env, bad).ends_with(2);
    }
    assert_eq!(base.asked().len(), 3);
}

#[test]
fn a_cache_that_cannot_be_written_cannot_be_warmed() {
    let env = TestEnv::new();
    let base = served(&env);
    fs::create_dir_all(env.cache().join("img")).expect("made");
    fs::write(env.cache().join("img/.rbuild"), "no directory").expect("written");
    warm(&env, &base.pin()).ends_with(8);
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn d3_two_variants_of_one_architecture_do_not_take_each_others_place_and_have_one_name() {
    let env = TestEnv::new();
    let platforms = ["v6", "v7"]
        .map(|variant| json!({"os": "linux", "architecture": "arm", "variant": variant}));
    let base = large(&env, 1, &platforms);
    for (variant, listed) in [("v6", "linux/arm/v6"), ("v7", "linux/arm/v6,linux/arm/v7")] {
        warm(
            &env,
            &format!("--layers --platform linux/arm/{variant} {}", base.tag()),
        )
        .succeeds();
        let rows = env
            .rbuild(&env.path("home"), "cache ls")
            .succeeds()
            .stdout();
        assert_eq!(rows.lines().count(), 1, "{rows}");
        assert!(
            rows.starts_with(&format!(
                "{}\t{}\t{listed}\tfull\t",
                base.tag(),
                base.made.index
            )),
            "{rows}"
        );
    }
}

#[test]
fn d3_an_export_says_of_each_entry_what_it_is() {
    let env = TestEnv::new();
    let base = served(&env);
    warm(&env, &format!("--layers {}", base.tag())).succeeds();
    let home = env.path("home");
    for (digest, kind) in [(&base.made.index, "index"), (&base.made.image, "manifest")] {
        env.rbuild(&home, &format!("cache export {kind} {digest}"))
            .succeeds();
        let index = fs::read(home.join(kind).join("index.json")).expect("written");
        let index: Value = serde_json::from_slice(&index).expect("JSON");
        let expected = format!("application/vnd.oci.image.{kind}.v1+json");
        assert_eq!(index["manifests"][0]["mediaType"], expected.as_str());
        assert_eq!(index["manifests"][0]["digest"], digest.as_str());
    }
}
