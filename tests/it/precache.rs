//! Bases that are wanted whole: `--precache-images`, `--cache-base-layers` and `cache: {baseLayers: true}`.

use std::fs;

use crate::served::{Served, served};
use crate::support::{TestEnv, run};
use crate::test_registry::{Action, Rule};
use crate::warm::{blob, build, build_online, build_with, hello, replay};

fn in_img(env: &TestEnv, base: &Served) -> bool {
    blob(&env.cache().join("img"), &base.made.layer).exists()
}

#[test]
fn the_bases_are_whole_before_anything_is_compiled_and_the_second_time_nobody_is_asked() {
    let env = TestEnv::new();
    let base = served(&env);
    for flag in ["--precache-images", "--pre-cache-images"] {
        let arguments = format!("{flag} --base {}", base.pin());
        let layer = blob(&env.cache().join("img"), &base.made.layer);
        let look = format!("test -f \"{}\"", layer.display());
        build_with(&env, &format!("{look} || exit 9"), &arguments).succeeds();
        assert!(in_img(&env, &base), "{flag}");
        let expected = match flag {
            "--precache-images" => 4,
            _ => 0,
        };
        assert_eq!(base.asked().len(), expected, "{flag}");
    }
    let tar = format!("--offline --oci-archive @/a.tar --base {}", base.pin());
    build_online(&env, &tar).succeeds();
}

#[test]
fn offline_what_is_missing_is_named_before_anything_is_compiled() {
    let env = TestEnv::new();
    let base = served(&env);
    build_online(&env, &format!("--base {}", base.pin())).succeeds();
    base.asked();
    let arguments = format!("--precache-images --base {}", base.pin());
    build(&env, &arguments)
        .ends_with(4)
        .says(&base.made.layer)
        .says("`rbuild cache warm --layers --platform linux/");
    build(&env, &format!("--dry-run {arguments}"))
        .ends_with(4)
        .says(&base.made.layer);
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn a_plan_shows_what_would_be_fetched_and_fetches_no_layer() {
    let env = TestEnv::new();
    let base = served(&env);
    let arguments = format!("--dry-run --precache-images --base {}", base.pin());
    let run = build_online(&env, &arguments).succeeds();
    assert!(run.stdout().contains("fetch 1 layer, "), "{}", run.stdout());
    assert!(!in_img(&env, &base));
}

#[test]
fn d3_scratch_and_built_in_bases_and_layouts_are_pulled_from_nowhere() {
    let env = TestEnv::new();
    let base = served(&env);
    let layout = format!("oci:{}", env.path("made").display());
    let all = [
        "--base scratch".to_owned(),
        "--base builtin:static".to_owned(),
    ];
    for arguments in all {
        build(&env, &format!("--precache-images {arguments}")).succeeds();
        let mirror = format!("--mirror http://{}", base.there.host());
        build_online(&env, &format!("--precache-images {mirror} {arguments}")).succeeds();
    }
    let mut command = env.command(hello());
    replay().given_to(&mut command);
    let index = base.made.index.clone();
    command.args([
        "build",
        ".",
        "--push=false",
        "--precache-images",
        "--offline",
        "--base",
    ]);
    run(command.arg(format!("{layout}@{index}"))).succeeds();
    assert_eq!(base.asked(), [""; 0]);
    env.rbuild(&env.path("home"), "cache warm scratch")
        .succeeds();
    assert!(!in_img(&env, &base));
}

#[test]
fn layers_that_were_fetched_for_an_output_stay_in_the_cache_of_bases_if_that_is_wanted() {
    let env = TestEnv::new();
    let base = served(&env);
    let arguments = format!("--tarball @/t.tar --base {}", base.pin());
    build_online(&env, &arguments).succeeds();
    assert!(!in_img(&env, &base), "not unless it is wanted");
    base.asked();
    build_online(&env, &format!("--cache-base-layers {arguments}")).succeeds();
    assert!(in_img(&env, &base), "copied from what was fetched before");
    assert_eq!(base.asked(), [""; 0]);
    fs::remove_dir_all(env.cache()).expect("removed");
    build_online(&env, &format!("--cache-base-layers {arguments}")).succeeds();
    assert!(in_img(&env, &base));
    assert_eq!(base.asked().len(), 4, "each blob once");
    fs::remove_dir_all(env.cache().join("build")).expect("removed");
    build(&env, &arguments).succeeds();
}

#[test]
fn the_configuration_can_want_it_too() {
    let env = TestEnv::new();
    let base = served(&env);
    let file = env.path("config.yaml");
    fs::write(&file, "cache: {baseLayers: true}\n").expect("written");
    let words = format!(
        "build . --push=false --tarball {} --base {}",
        "t.tar",
        base.pin()
    );
    let mut command = env.command(hello());
    replay().given_to(&mut command).env("RBUILD_CONFIG", &file);
    let tar = env.path("t.tar").display().to_string();
    let words = words.split(' ').map(|word| word.replace("t.tar", &tar));
    run(command.args(words)).succeeds();
    assert!(in_img(&env, &base));
}

#[test]
fn d3_present_means_every_blob_and_not_a_name() {
    let env = TestEnv::new();
    let base = served(&env);
    let home = env.path("home");
    env.rbuild(&home, &format!("cache warm --layers {}", base.tag()))
        .succeeds();
    let img = env.cache().join("img");
    let gone = [&base.made.layer, &base.made.image, &base.config()].map(ToString::to_string);
    for digest in gone {
        fs::remove_file(blob(&img, &digest)).expect("there");
        base.asked();
        let command = format!("cache warm --layers {}", base.tag());
        let run = env.rbuild(&home, &command).succeeds();
        assert!(run.stderr().contains("  warmed: "), "{}", run.stderr());
        assert_eq!(
            base.asked(),
            ["HEAD v1".to_owned(), format!("GET {digest}")]
        );
        fs::remove_file(blob(&img, &digest)).expect("there again");
        let arguments = format!("--precache-images --base {}", base.pin());
        build_online(&env, &arguments).succeeds();
        assert!(blob(&img, &digest).exists());
    }
}

#[test]
fn d3_a_tag_is_asked_for_again_each_time_and_a_digest_of_an_index_hits() {
    let env = TestEnv::new();
    let base = served(&env);
    let command = |name: &str| format!("cache warm --layers {name}");
    let home = env.path("home");
    env.rbuild(&home, &command(&base.tag())).succeeds();
    base.asked();
    for _ in 0..2 {
        let run = env.rbuild(&home, &command(&base.pin())).succeeds();
        run.says("  there already: metadata and layers of linux/");
        assert_eq!(base.asked(), [""; 0], "the digest of the index is here");
    }
    for _ in 0..2 {
        env.rbuild(&home, &command(&base.tag())).succeeds();
        assert_eq!(base.asked(), ["HEAD v1"], "the tag may mean something new");
    }
    let manifest = fs::read(blob(&env.path("made"), &base.made.image)).expect("made");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    base.there
        .put_manifest("team/base", "v1", media_type, &manifest);
    let run = env.rbuild(&home, &command(&base.tag())).succeeds();
    assert!(run.stdout().contains(&base.made.image), "{}", run.stdout());
    assert_eq!(
        base.asked(),
        ["HEAD v1"],
        "what it means now is here already"
    );
}

#[test]
fn d3_with_no_mirror_fallback_the_registry_itself_is_never_asked() {
    let env = TestEnv::new();
    let base = served(&env);
    let mirror = crate::test_registry::TestRegistry::start();
    let home = env.path("home");
    let words = |name: &str| {
        let mirror = format!("--mirror {}=http://{}", base.there.host(), mirror.host());
        format!("cache warm --layers --no-mirror-fallback {mirror} {name}")
    };
    env.rbuild(&home, &words(&base.tag())).ends_with(7);
    env.rbuild(&home, &words(&base.pin())).ends_with(7);
    assert_eq!(base.asked(), [""; 0], "the mirror has nothing");
    base.give(&mirror, "team/base");
    env.rbuild(&home, &words(&base.tag())).succeeds();
    env.rbuild(&home, &words(&base.pin())).succeeds();
    assert_eq!(base.asked(), [""; 0], "the mirror has all of it");
    assert!(in_img(&env, &base));
}

#[test]
fn by_force_a_digest_is_asked_for_too_and_what_is_damaged_comes_again() {
    let env = TestEnv::new();
    let base = served(&env);
    let home = env.path("home");
    env.rbuild(&home, &format!("cache warm --layers {}", base.pin()))
        .succeeds();
    let kept = blob(&env.cache().join("img"), &base.made.layer);
    let mut bytes = fs::read(&kept).expect("here");
    bytes[20] ^= 1;
    fs::remove_file(&kept).expect("removed");
    fs::write(&kept, &bytes).expect("spoilt");
    base.asked();
    let plain = format!("cache warm --layers {}", base.pin());
    env.rbuild(&home, &plain).succeeds();
    assert_eq!(base.asked(), [""; 0]);
    let force = format!("cache warm --force {}", base.pin());
    env.rbuild(&home, &force)
        .succeeds()
        .says("has been moved to")
        .says("1 layer fetched");
    let layer = format!("GET {}", base.made.layer);
    let head = format!("HEAD {}", base.made.index);
    assert_eq!(base.asked(), [head.clone(), layer]);
    env.rbuild(&home, "cache verify").succeeds();
    env.rbuild(&home, &force).succeeds().says("there already");
    assert_eq!(base.asked(), [head]);
    let index = format!("/v2/team/base/manifests/{}", base.made.index);
    for method in ["HEAD", "GET"] {
        base.there
            .rule(Rule::on(method, &index).then(Action::Status(404)));
    }
    env.rbuild(&home, &force)
        .ends_with(7)
        .says("the registry does not have");
    env.rbuild(&home, &plain).succeeds();
}

#[test]
fn keeping_going_ends_well_and_a_table_says_what_happened_to_each() {
    let env = TestEnv::new();
    let base = served(&env);
    let home = env.path("home");
    env.rbuild(&home, &format!("cache warm {}", base.pin()))
        .succeeds();
    let names = [
        base.named(":no"),
        base.pin(),
        base.tag(),
        base.named("/none:v1"),
    ]
    .join(" ");
    for (flags, code) in [("", 7), ("--keep-going ", 0)] {
        let run = env
            .rbuild(&home, &format!("cache warm {flags}{names}"))
            .ends_with(code)
            .says(&format!(
                "{}  failed: there is no tag `no`",
                base.named(":no")
            ))
            .says(&format!(
                "{}  there already: metadata of linux/",
                base.pin()
            ))
            .says(&format!(
                "{}  there already: metadata of linux/",
                base.tag()
            ))
            .says(&format!("{}  failed: ", base.named("/none:v1")));
        assert_eq!(run.stdout().lines().count(), 2, "{}", run.stdout());
    }
}
