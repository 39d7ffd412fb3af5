//! N01 to N06, many on one cache: those who fill it, those who look, and one who takes away.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufRead;
use std::process::{Child, Stdio};

use crate::served::{REPOSITORY, Served, served};
use crate::support::{Run, TestEnv};
use crate::warm::{blob, build, build_behind, build_online, build_online_behind, build_with};

/// An `rbuild cache …` that runs beside us.
fn begin(env: &TestEnv, arguments: &str) -> Child {
    let mut command = env.command(&env.path("home"));
    command.arg("cache").args(arguments.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

fn end(child: Child) -> Run {
    Run {
        output: child.wait_with_output().expect("it ends"),
    }
}

fn names(env: &TestEnv) -> BTreeSet<String> {
    let listed = env
        .rbuild(&env.path("home"), "cache ls")
        .succeeds()
        .stdout();
    let name = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    listed.lines().map(name).collect()
}

/// Gives the image so many more tags, `t0` and on.
fn tagged(base: &Served, count: usize) {
    let index = base.index();
    let media_type = "application/vnd.oci.image.index.v1+json";
    for number in 0..count {
        let tag = format!("t{number}");
        base.there
            .put_manifest(REPOSITORY, &tag, media_type, &index);
    }
}

fn judge(env: &TestEnv, wanted: &BTreeSet<String>) {
    assert_eq!(&names(env), wanted);
    env.rbuild(&env.path("home"), "cache verify").succeeds();
    let left = crate::support::tree(&env.cache().join("img/.rbuild/tmp"));
    assert_eq!(left, [""; 0]);
}

#[test]
fn n01_eight_that_warm_one_base_at_once_all_end_well_and_leave_one_entry() {
    let env = TestEnv::new();
    let base = served(&env);
    let warm = format!("warm --layers {}", base.tag());
    let children: Vec<Child> = (0..8).map(|_| begin(&env, &warm)).collect();
    children
        .into_iter()
        .map(end)
        .for_each(|run| drop(run.succeeds()));
    judge(&env, &BTreeSet::from([base.tag()]));
    let layer = format!("GET {}", base.made.layer);
    let times = base.asked().iter().filter(|one| **one == layer).count();
    assert!((1..=8).contains(&times), "{times}");
}

#[test]
fn n02_eight_that_warm_eight_names_leave_eight_entries() {
    let env = TestEnv::new();
    let base = served(&env);
    pairs(&env, &base, 4);
}

/// Two at once for each pair, each with a name of its own; no name is lost.
pub(crate) fn pairs(env: &TestEnv, base: &Served, count: usize) {
    tagged(base, 2 * count);
    let mut wanted = BTreeSet::new();
    for pair in 0..count {
        let pair = [2 * pair, 2 * pair + 1].map(|number| base.named(&format!(":t{number}")));
        let children = pair
            .each_ref()
            .map(|name| begin(env, &format!("warm {name}")));
        children
            .into_iter()
            .map(end)
            .for_each(|run| drop(run.succeeds()));
        wanted.extend(pair);
    }
    judge(env, &wanted);
}

#[test]
fn thirty_pairs_of_writers_lose_no_entry() {
    let env = TestEnv::new();
    let base = served(&env);
    pairs(&env, &base, 30);
}

#[test]
fn n03_those_who_look_while_others_write_see_no_error() {
    let env = TestEnv::new();
    let base = served(&env);
    tagged(&base, 12);
    let mut children = Vec::new();
    for number in 0..12 {
        children.push(begin(
            &env,
            &format!("warm {}", base.named(&format!(":t{number}"))),
        ));
        children.extend((0..2).map(|_| begin(&env, "ls")));
    }
    for run in children.into_iter().map(end) {
        let said = run.succeeds().stderr();
        assert!(
            !said.contains("damaged") && !said.contains("error"),
            "{said}"
        );
    }
    assert_eq!(names(&env).len(), 12);
}

#[test]
fn n04_builds_beside_one_who_takes_away_all_end_well() {
    let env = TestEnv::new();
    let base = served(&env);
    let warm = format!("cache warm --layers {}", base.pin());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let arguments = format!("--base {} --oci-archive @/a.tar", base.pin());
    let expected = build(&env, &arguments).succeeds().digest();
    for _ in 0..4 {
        let mut builds = build_behind(&env, &[], &arguments);
        builds.stdout(Stdio::piped()).stderr(Stdio::piped());
        let built = builds.spawn().expect("started");
        let pruned = begin(&env, "prune --keep-duration 0s --max-used 0");
        assert_eq!(end(built).succeeds().digest(), expected);
        let run = end(pruned);
        let code = run.output.status.code();
        assert!(code == Some(0) || code == Some(8), "{}", run.stderr());
    }
    assert!(blob(&env.cache().join("img"), &base.made.layer).exists());
}

/// What cargo runs in the middle of a build: another rbuild, whose words and exit code are kept in files of the world.
fn meanwhile(env: &TestEnv, name: &str, words: &str) -> String {
    let [rbuild, said, code] = [
        env!("CARGO_BIN_EXE_rbuild").into(),
        env.path(name),
        env.path(&format!("{name}.code")),
    ]
    .map(|path| format!("'{}'", path.display()));
    format!("{rbuild} {words} > {said} 2>&1; echo $? > {code}")
}

#[test]
fn n04_what_a_build_under_way_needs_is_taken_away_by_nobody() {
    let env = TestEnv::new();
    let base = served(&env);
    let img = env.cache().join("img");
    let warm = format!("cache warm --layers {}", base.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let arguments = format!("--base {} --oci-archive @/a.tar", base.pin());
    let expected = build(&env, &arguments).succeeds().digest();
    let before = crate::support::tree(&img.join("blobs"));
    for (name, words) in [
        (
            "prune",
            "cache prune --keep-duration 0s --max-used 0".to_owned(),
        ),
        ("rm", format!("cache rm {}", base.tag())),
    ] {
        let built = build_with(
            &env,
            &meanwhile(&env, name, &words),
            &format!("--offline {arguments}"),
        );
        assert_eq!(built.succeeds().digest(), expected);
        let read = |name: &str| fs::read_to_string(env.path(name)).expect("it ran");
        assert_eq!(read(&format!("{name}.code")).trim(), "8", "{}", read(name));
        assert!(
            read(name).contains("is in use by another rbuild"),
            "{}",
            read(name)
        );
        assert_eq!(crate::support::tree(&img.join("blobs")), before);
    }
    let looks = build_with(
        &env,
        &meanwhile(&env, "ls", "cache ls"),
        &format!("--offline {arguments}"),
    );
    looks.succeeds();
    assert_eq!(
        fs::read_to_string(env.path("ls.code"))
            .expect("it ran")
            .trim(),
        "0"
    );
}

#[test]
fn n04_a_build_that_begins_while_all_is_taken_away_waits_and_fetches_again() {
    let env = TestEnv::new();
    let base = served(&env);
    let img = env.cache().join("img");
    let warm = format!("cache warm --layers {}", base.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    // Held as prune and rm hold it.
    let held = fs::File::open(img.join(".rbuild/use")).expect("there");
    held.lock().expect("locked");
    let arguments = format!("--base {} --oci-archive @/a.tar", base.pin());
    let mut child = build_online_behind(&env, &[], &arguments);
    let mut child = child
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut told = String::new();
    let mut errors = std::io::BufReader::new(child.stderr.take().expect("piped"));
    errors.read_line(&mut told).expect("told");
    assert!(told.contains("another rbuild takes things away"), "{told}");
    for name in crate::support::tree(&img.join("blobs/sha256")) {
        fs::remove_file(img.join("blobs/sha256").join(name)).expect("removed");
    }
    base.asked();
    drop(held);
    let built = end(child).succeeds();
    assert!(base.asked().contains(&format!("GET {}", base.made.layer)));
    assert_eq!(build(&env, &arguments).succeeds().digest(), built.digest());
}

#[test]
fn n05_who_waits_for_the_lock_says_so_and_goes_on_when_it_is_let_go() {
    let env = TestEnv::new();
    let base = served(&env);
    tagged(&base, 1);
    let warm = format!("cache warm {}", base.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let held = fs::File::open(env.cache().join("img/.rbuild/lock")).expect("there");
    held.lock().expect("locked");
    let mut child = begin(&env, &format!("warm {}", base.named(":t0")));
    let mut errors = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut told = String::new();
    errors.read_line(&mut told).expect("told");
    assert!(told.contains("waiting for the lock"), "{told}");
    drop(held);
    end(child).succeeds();
    assert_eq!(names(&env).len(), 2);
}

/// A run that waits for nobody.
fn impatient(env: &TestEnv, words: &str) -> Run {
    let words = format!("{words} --lock-timeout 0");
    match words.strip_prefix("build ") {
        Some(arguments) => build_online(env, arguments),
        None => env.rbuild(&env.path("home"), &words),
    }
}

/// The locks of a cache, and commands that need them: for names of bases that are new, and for a base that is here.
fn locks(new: &str, base: &Served) -> [(&'static str, Vec<String>); 4] {
    let looks = ["ls", "verify", "export out.tar", "warm", "prune"];
    let looks = looks.map(|words| format!("cache {words}"));
    let more = [
        "base ls".to_owned(),
        format!("cache rm {}", base.tag()),
        format!("build --base {}", base.pin()),
    ];
    let changes = vec![format!("cache warm {new}"), format!("build --base {new}")];
    let scratch = "build --base scratch --image-label new=1".to_owned();
    let pushes = vec![
        "cache prune".to_owned(),
        "push hello r.example/x".to_owned(),
    ];
    [
        ("cache/img/.rbuild/lock", changes),
        (
            "cache/img/.rbuild/use",
            looks.into_iter().chain(more).collect(),
        ),
        ("cache/build/.rbuild/lock", vec![scratch]),
        ("cache/build/.rbuild/use", pushes),
    ]
}

fn hold(env: &TestEnv, file: &str) -> fs::File {
    let held = fs::File::open(env.path(file)).expect("there");
    held.lock().expect("locked");
    held
}

#[test]
fn n05_with_a_lock_timeout_a_held_lock_is_told_by_its_path_and_ends_with_8() {
    let env = TestEnv::new();
    let base = served(&env);
    tagged(&base, 1);
    let warm = format!("cache warm --layers {}", base.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    let arguments = format!("--base {} --oci-layout-path @/layout", base.pin());
    build(&env, &arguments).succeeds();
    let new = base.named(":t0");
    for (file, commands) in locks(&new, &base) {
        let _held = hold(&env, file);
        for words in commands {
            let run = impatient(&env, &words).ends_with(8).says(file);
            let run = run.says("holds").says("fuser").says("--lock-timeout");
            assert_eq!(run.stdout(), "", "{words}");
        }
    }
    let held = hold(&env, "layout/.rbuild/lock");
    let added = "build --base scratch --oci-layout-path @/layout";
    impatient(&env, added)
        .ends_with(8)
        .says("layout/.rbuild/lock");
    drop(held);
    assert!(!names(&env).contains(&new));
    impatient(&env, &format!("cache warm {new}")).succeeds();
    assert_eq!(names(&env).len(), 2);
}
