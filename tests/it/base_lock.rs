//! builder.lock and the commands around it: what is asked, what is written, what a build makes of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::Value;

use crate::served::{Served, served};
use crate::support::{Run, TestEnv, run};
use crate::test_registry::{Action, Rule};
use crate::warm::{blob, hello, replay, temps};

/// A project of its own: the sources of hello, and a configuration.
struct Project<'a> {
    env: &'a TestEnv,
    directory: PathBuf,
}

impl<'a> Project<'a> {
    fn new(env: &'a TestEnv, configuration: &str) -> Project<'a> {
        let directory = env.path("project");
        fs::create_dir(&directory).expect("made");
        let project = Project { env, directory };
        project.configure(configuration);
        project
    }

    fn configure(&self, text: &str) {
        fs::write(self.file(), text).expect("written");
    }

    fn file(&self) -> PathBuf {
        self.directory.join(".builder.yaml")
    }

    fn lock(&self) -> PathBuf {
        self.directory.join("builder.lock")
    }

    /// The row of `config show` about builder.lock.
    fn shown(&self) -> String {
        let shown = self.rbuild("config show").succeeds().stdout();
        let row = shown.lines().find(|line| line.starts_with("lock: "));
        row.expect("a row").to_owned()
    }

    fn rbuild(&self, arguments: &str) -> Run {
        self.env.rbuild(&self.directory, arguments)
    }

    /// A build of hello by this project's configuration.
    fn build(&self, arguments: &str) -> Run {
        let mut command = self.env.command(hello());
        replay().given_to(&mut command);
        command.env("RBUILD_CONFIG", self.file());
        command.args(["build", ".", "--push=false"]);
        run(command.args(arguments.split_whitespace()))
    }

    fn read(&self) -> Value {
        let bytes = fs::read(self.lock()).expect("a lock");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

fn default_base(base: &Served) -> String {
    format!("defaultBaseImage: {}\n", base.tag())
}

/// Has somebody write a file whenever the registry is asked for the tag.
fn meanwhile(base: &Served, file: PathBuf, bytes: impl Into<Vec<u8>>) {
    let bytes = bytes.into();
    let change = Action::change(move |_| fs::write(&file, &bytes).expect("written"));
    base.there
        .rule(Rule::on("HEAD", "/v2/*/manifests/v1").then(change));
}

/// The image alone under the tag that meant an index.
fn move_the_tag(base: &Served) {
    let manifest = fs::read(blob(base.layout(), &base.made.image)).expect("made");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    base.there
        .put_manifest("team/base", "v1", media_type, &manifest);
}

#[test]
fn a_lock_says_all_of_each_platform_and_the_same_lock_has_the_same_bytes() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    let pinned = format!("{}@{}\n", base.tag(), base.made.index);
    assert_eq!(project.rbuild("base pin").succeeds().stdout(), pinned);
    assert_eq!(base.asked()[0], "HEAD v1");
    let lock = project.read();
    assert_eq!(lock["version"], 1);
    let entry = &lock["bases"][0];
    assert_eq!(entry["name"], base.tag().as_str());
    assert_eq!(entry["digest"], base.made.index.as_str());
    assert_eq!(entry["index"], base.made.index.as_str());
    assert_eq!(entry["source"], "registry");
    assert_eq!(entry["images"][0]["manifest"], base.made.image.as_str());
    assert_eq!(entry["images"][0]["config"], base.config().as_str());
    let bytes = fs::read(project.lock()).expect("a lock");
    assert_eq!(project.rbuild("base pin").succeeds().stdout(), pinned);
    assert_eq!(base.asked(), [""; 0], "what is pinned stays pinned");
    project.rbuild("base update").succeeds();
    assert_eq!(base.asked(), ["HEAD v1"]);
    assert_eq!(fs::read(project.lock()).expect("a lock"), bytes);
}

#[test]
fn the_time_of_a_pin_is_that_of_the_world_or_of_source_date_epoch() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    let mut command = env.command(&project.directory);
    command.env("SOURCE_DATE_EPOCH", "86400");
    run(command.args(["base", "pin"])).succeeds();
    assert_eq!(project.read()["bases"][0]["time"], "1970-01-02T00:00:00Z");
}

#[test]
fn with_a_lock_that_fits_no_tag_is_asked_for_with_and_without_a_record() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    base.asked();
    let digest = project.build("--locked").succeeds().digest();
    assert_eq!(project.build("--offline").succeeds().digest(), digest);
    assert_eq!(base.asked(), [""; 0]);
    move_the_tag(&base);
    assert_eq!(project.build("").succeeds().digest(), digest);
    fs::remove_dir_all(env.cache()).expect("removed");
    assert_eq!(project.build("--locked").succeeds().digest(), digest);
    let asked = base.asked();
    assert!(
        asked.iter().all(|line| line.starts_with("GET sha256:")),
        "{asked:?}"
    );
    assert_eq!(project.build("--frozen").succeeds().digest(), digest);
    fs::remove_dir_all(env.cache()).expect("removed");
    project
        .build("--offline")
        .ends_with(4)
        .says(&base.made.index)
        .says("builder.lock pins it");
    assert_eq!(base.asked(), [""; 0]);
    fs::remove_file(project.lock()).expect("removed");
    project.build("").succeeds();
    assert_eq!(base.asked()[0], "HEAD v1", "without a lock the tag counts");
}

#[test]
fn a_lock_that_does_not_fit_is_an_error_under_locked_and_frozen_and_else_a_note() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    let words = "builder.lock does not fit the configuration";
    let other = format!(
        "{}baseImageOverrides: {{tool: scratch}}\n",
        default_base(&base)
    );
    project.configure(&other);
    base.asked();
    for flags in ["--locked", "--frozen"] {
        project
            .build(flags)
            .ends_with(2)
            .says(words)
            .says("rbuild base pin");
    }
    let run = project.build("--offline").succeeds().says(words);
    assert_eq!(run.stderr().matches(words).count(), 1, "{}", run.stderr());
    assert_eq!(base.asked(), [""; 0], "what it holds is used all the same");
    project.configure(&format!("defaultBaseImage: {}\n", base.named(":v2")));
    project
        .build("--locked")
        .ends_with(2)
        .says(&format!("it does not hold `{}`", base.named(":v2")));
    project.build("").ends_with(7).says(words);
    assert_eq!(
        base.asked()[0],
        "HEAD v2",
        "what it does not hold is asked for"
    );
    project.configure(&format!(
        "{}defaultFlags: [\"--timings\"]\n",
        default_base(&base)
    ));
    let run = project.build("--locked").succeeds();
    assert!(!run.stderr().contains(words), "{}", run.stderr());
}

#[test]
fn a_flag_names_a_base_that_the_lock_does_not_hold() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    let other = format!("--base {}", base.named(":v2"));
    project
        .build(&format!("--locked {other}"))
        .ends_with(2)
        .says(&base.named(":v2"));
    project
        .build(&format!("--locked --base {}", base.pin()))
        .succeeds();
    project.build("--locked --base scratch").succeeds();
}

#[test]
fn h06_a_damaged_lock_stops_a_build_and_is_not_written_over() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    for bad in ["{\"version\": 2}", "", "{\"version\":1,\"version\":1}"] {
        fs::write(project.lock(), bad).expect("written");
        for run in [
            project.build(""),
            project.rbuild("base pin"),
            project.rbuild("cache warm"),
        ] {
            run.ends_with(2).says("cannot use").says("builder.lock");
        }
        assert_eq!(fs::read_to_string(project.lock()).expect("there"), bad);
    }
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn update_asks_again_and_tells_old_and_new_of_each_base_and_platform() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    assert_eq!(project.rbuild("base update").succeeds().stdout(), "");
    move_the_tag(&base);
    let told = project.rbuild("base update").succeeds().stdout();
    let line = format!(
        "{}: {} → {}\n",
        base.tag(),
        base.made.index,
        base.made.image
    );
    assert!(told.starts_with(&line), "{told}");
    assert_eq!(
        project.read()["bases"][0]["digest"],
        base.made.image.as_str()
    );
    assert!(project.read()["bases"][0].get("index").is_none());
    fs::remove_file(project.lock()).expect("removed");
    let told = project.rbuild("base update").succeeds().stdout();
    assert!(
        told.contains(&format!(": - → {}\n", base.made.image)),
        "{told}"
    );
}

#[test]
fn ls_says_what_each_base_is_and_who_says_so() {
    let env = TestEnv::new();
    let base = served(&env);
    let text = format!(
        "{}baseImageOverrides:\n  a: {}\n  b: scratch\n",
        default_base(&base),
        base.pin()
    );
    let project = Project::new(&env, &text);
    let default = |who: &str| {
        format!(
            "defaultBaseImage\t{}\t{}\tlinux/{}\t{who}\n",
            base.tag(),
            base.made.index,
            crate::support::architecture()
        )
    };
    let listed = project.rbuild("base ls").succeeds().stdout();
    assert!(listed.starts_with(&default("registry")), "{listed}");
    assert!(listed.contains("\tpin\n"), "{listed}");
    assert!(
        listed.ends_with("baseImageOverrides.b\tscratch\t-\t-\tno registry\n"),
        "{listed}"
    );
    project
        .rbuild("base ls --offline")
        .ends_with(4)
        .says("records no name");
    project
        .rbuild(&format!("cache warm {}", base.tag()))
        .succeeds();
    let listed = project.rbuild("base ls --offline").succeeds().stdout();
    assert!(listed.starts_with(&default("record")), "{listed}");
    project.rbuild("base pin").succeeds();
    base.asked();
    let listed = project.rbuild("base ls").succeeds().stdout();
    assert!(listed.starts_with(&default("lock")), "{listed}");
    assert_eq!(base.asked(), [""; 0]);
    assert_eq!(
        project.rbuild("base ls --offline").succeeds().stdout(),
        listed
    );
}

#[test]
fn without_a_registry_a_pin_is_what_the_cache_records_and_says_so() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin --offline").ends_with(4);
    assert!(!project.lock().exists());
    project.rbuild("cache warm").succeeds();
    project
        .rbuild("base pin --offline")
        .succeeds()
        .says("is taken as recorded in the cache");
    assert_eq!(project.read()["bases"][0]["source"], "cache");
}

#[test]
fn a_configuration_without_registries_has_an_empty_lock_and_no_configuration_a_lock_in_the_root() {
    let env = TestEnv::new();
    let project = Project::new(&env, "defaultBaseImage: scratch\n");
    assert_eq!(project.rbuild("base pin").succeeds().stdout(), "");
    assert_eq!(project.read()["bases"], serde_json::json!([]));
    let workspace = env.path("workspace");
    fs::create_dir_all(workspace.join("member/src")).expect("made");
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nmembers = [\"member\"]\n",
    )
    .expect("written");
    fs::write(
        workspace.join("member/Cargo.toml"),
        "[package]\nname = \"member\"\n",
    )
    .expect("written");
    env.rbuild(&workspace.join("member/src"), "base pin")
        .succeeds();
    assert!(workspace.join("builder.lock").exists());
    env.rbuild(&workspace, "base pin no/such").ends_with(2);
}

#[test]
fn warm_without_a_name_is_for_every_base_of_the_configuration_and_of_the_lock() {
    let env = TestEnv::new();
    let base = served(&env);
    let text = format!(
        "{}baseImageOverrides: {{a: {}, b: scratch}}\n",
        default_base(&base),
        base.pin()
    );
    let project = Project::new(&env, &text);
    let warmed = project.rbuild("cache warm --layers").succeeds().stdout();
    assert_eq!(
        warmed,
        format!("{}@{}\n{}\n", base.tag(), base.made.index, base.pin())
    );
    assert!(blob(&env.cache().join("img"), &base.made.layer).exists());
    base.asked();
    project.rbuild("cache warm --layers").succeeds();
    assert_eq!(
        base.asked(),
        ["HEAD v1"],
        "one HEAD for the tag, nothing for the digest"
    );
    project.rbuild("base pin").succeeds();
    project.configure("defaultBaseImage: scratch\n");
    fs::remove_dir_all(env.cache()).expect("removed");
    base.asked();
    project.rbuild("cache warm").succeeds();
    let asked = base.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(
        asked.iter().all(|line| line.starts_with("GET sha256:")),
        "{asked:?}"
    );
    project
        .rbuild("cache warm")
        .succeeds()
        .says("there already");
    assert_eq!(base.asked(), [""; 0]);
}

#[test]
fn in_place_only_the_name_changes_and_the_file_keeps_its_mode_and_its_link() {
    let env = TestEnv::new();
    let base = served(&env);
    let before = format!(
        "# bases\r\ndefaultBaseImage:  '{}'  # ours\r\nbaseImageOverrides: {{a: {}, b: scratch}}\r\n",
        base.tag(),
        base.pin()
    );
    let project = Project::new(&env, &before);
    fs::set_permissions(project.file(), fs::Permissions::from_mode(0o640)).expect("set");
    fs::rename(project.file(), env.path("elsewhere.yaml")).expect("moved");
    symlink(env.path("elsewhere.yaml"), project.file()).expect("linked");
    let mut command = env.command(&project.directory);
    command.env("RBUILD_CONFIG", project.file());
    run(command.args(["base", "pin", "--in-place"])).succeeds();
    let pinned = format!("'{}@{}'", base.tag(), base.made.index);
    let expected = before.replace(&format!("'{}'", base.tag()), &pinned);
    assert_eq!(
        fs::read_to_string(env.path("elsewhere.yaml")).expect("there"),
        expected
    );
    let mode = fs::metadata(env.path("elsewhere.yaml"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(project.file().is_symlink() && !project.lock().exists());
    base.asked();
    project.build("--locked").succeeds();
    assert_eq!(base.asked(), [""; 0]);
    let mut command = env.command(&project.directory);
    command.env("RBUILD_CONFIG", project.file());
    run(command.args(["base", "pin", "--in-place"]))
        .succeeds()
        .says("nothing to pin");
}

#[test]
fn in_place_what_cannot_be_written_or_changed_meanwhile_is_refused_and_left_alone() {
    let env = TestEnv::new();
    let base = served(&env);
    let anchored = format!("defaultBaseImage: &a {}\n", base.tag());
    let project = Project::new(&env, &anchored);
    project
        .rbuild("base pin --in-place")
        .ends_with(2)
        .says("cannot write a digest into `defaultBaseImage`")
        .says(&format!("{}@{}", base.tag(), base.made.index));
    assert_eq!(fs::read_to_string(project.file()).expect("there"), anchored);
    fs::remove_file(project.file()).expect("removed");
    project
        .rbuild("base pin --in-place")
        .ends_with(2)
        .says("there is no .builder.yaml");
    let left: Vec<_> = fs::read_dir(&project.directory).expect("listed").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn in_place_a_file_that_somebody_else_writes_meanwhile_stays_as_they_wrote_it() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    let theirs = format!("# theirs\n{}", default_base(&base));
    meanwhile(&base, project.file(), theirs.clone());
    project
        .rbuild("base pin --in-place")
        .ends_with(2)
        .says("builder.yaml changed meanwhile")
        .says("hint: run the command again");
    assert_eq!(fs::read_to_string(project.file()).expect("there"), theirs);
    assert_eq!(temps(&project.directory), [""; 0]);
    project.rbuild("base pin --in-place").succeeds();
    let pinned = format!("{}@{}\n", theirs.trim_end(), base.made.index);
    assert_eq!(fs::read_to_string(project.file()).expect("there"), pinned);
}

#[test]
fn a_lock_that_somebody_else_writes_meanwhile_stays_unless_it_says_the_same() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    let configuration = format!("sha256:{}", "0".repeat(64));
    let theirs = format!(r#"{{"version": 1, "configuration": "{configuration}", "bases": []}}"#);
    meanwhile(&base, project.lock(), theirs.clone());
    for command in ["base pin", "base update"] {
        project
            .rbuild(command)
            .ends_with(2)
            .says("builder.lock changed meanwhile");
        assert_eq!(fs::read_to_string(project.lock()).expect("there"), theirs);
        fs::remove_file(project.lock()).expect("there");
    }

    let other = TestEnv::new();
    let base = served(&other);
    let project = Project::new(&other, &default_base(&base));
    let mut command = other.command(&project.directory);
    command.env("SOURCE_DATE_EPOCH", "86400");
    run(command.args(["base", "pin"])).succeeds();
    let same = fs::read(project.lock()).expect("a lock");
    fs::remove_file(project.lock()).expect("there");
    meanwhile(&base, project.lock(), same.clone());
    let said = project.rbuild("base pin").succeeds();
    said.says("nothing new in");
    assert_eq!(fs::read(project.lock()).expect("there"), same);
}

#[test]
fn config_show_tells_where_the_lock_lies_and_whether_it_fits() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    assert_eq!(project.shown(), "lock: none  # built in");
    project.rbuild("base pin").succeeds();
    let found = format!("lock: {}  # found", project.lock().display());
    assert_eq!(project.shown(), found);
    project.configure("defaultBaseImage: scratch\n");
    assert_eq!(
        project.shown(),
        format!("{found}, but made for another configuration")
    );
    fs::write(project.lock(), "torn").expect("written");
    project
        .rbuild("config show")
        .ends_with(2)
        .says("cannot use ")
        .says("builder.lock");
}

#[test]
fn c13_with_a_cache_that_cannot_be_written_bases_are_looked_up_and_pinned_all_the_same() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    for arguments in ["base ls", "base pin", "base update", "base pin --in-place"] {
        let mut command = env.command(&project.directory);
        command.env("KOCACHE", "/proc/no-cache");
        command.env("TMPDIR", env.path("home"));
        let said = run(command.args(arguments.split(' '))).succeeds().stderr();
        let note = "what is made or fetched is kept for this run only";
        assert_eq!(said.matches(note).count(), 1, "{arguments}: {said}");
    }
    let entry = &project.read()["bases"][0];
    assert_eq!(entry["digest"], base.made.index.as_str());
    assert_eq!(temps(&env.path("")), [""; 0]);
    let text = fs::read_to_string(project.file()).expect("there");
    assert!(text.contains(&base.made.index), "{text}");
}

#[test]
fn a_carried_cache_without_names_is_enough_where_a_lock_pins_the_base() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    let digest = project.build("").succeeds().digest();
    project.rbuild("cache warm --layers").succeeds();
    project.rbuild("cache export --layers bases.tar").succeeds();
    let there = TestEnv::new();
    let carried = Project::new(&there, &default_base(&base));
    for name in ["builder.lock", "bases.tar"] {
        fs::copy(project.directory.join(name), carried.directory.join(name)).expect("copied");
    }
    base.asked();
    carried
        .rbuild("cache import bases.tar")
        .succeeds()
        .says("names were not recorded");
    let built = carried.build("--offline --locked").succeeds();
    assert_eq!(built.digest(), digest);
    assert_eq!(base.asked(), [""; 0]);
    fs::remove_file(carried.lock()).expect("there");
    carried
        .build("--offline")
        .ends_with(4)
        .says("records no name");
}

#[test]
fn a_locked_base_whose_tag_means_another_image_by_now_is_warmed_into_the_list_and_carried() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("base pin").succeeds();
    project.rbuild("cache warm --layers").succeeds();
    move_the_tag(&base);
    let warm = format!("cache warm --layers {}", base.tag());
    project.rbuild(&warm).succeeds();
    let listed = |project: &Project<'_>| {
        let listed = project.rbuild("cache ls").succeeds().stdout();
        listed.contains(&base.made.index)
    };
    assert!(!listed(&project), "the tag took the name with it");
    base.asked();
    project.rbuild("cache warm --layers").succeeds();
    assert_eq!(base.asked(), [""; 0]);
    assert!(listed(&project));
    project.rbuild("cache export --layers bases.tar").succeeds();
    let there = TestEnv::new();
    let carried = Project::new(&there, &default_base(&base));
    for name in ["builder.lock", "bases.tar"] {
        fs::copy(project.directory.join(name), carried.directory.join(name)).expect("copied");
    }
    carried.rbuild("cache import bases.tar").succeeds();
    carried.build("--offline --locked").succeeds();
}

#[test]
fn a_registry_that_is_away_ends_an_update_and_a_warming_and_a_pin_says_that_the_cache_told() {
    let env = TestEnv::new();
    let base = served(&env);
    let project = Project::new(&env, &default_base(&base));
    project.rbuild("cache warm").succeeds();
    base.there
        .rule(Rule::on("HEAD", "*").then(Action::Status(503)));
    project
        .rbuild("base pin")
        .succeeds()
        .says("is taken as recorded in the cache");
    assert_eq!(project.read()["bases"][0]["source"], "cache");
    let before = fs::read(project.lock()).expect("written");
    project.rbuild("base update").ends_with(7);
    assert_eq!(fs::read(project.lock()).expect("there"), before);
    let warm = format!("cache warm {}", base.tag());
    project.rbuild(&warm).ends_with(7).says("failed: ");
    project.rbuild(&format!("{warm} --keep-going")).succeeds();
    project.build("--offline").succeeds();
}
