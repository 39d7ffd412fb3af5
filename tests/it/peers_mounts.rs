//! Caches on file systems that are read-only or full, and without rights: in namespaces of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::served::served;
use crate::support::{TestEnv, run, tree};
use crate::test_registry::TestRegistry;
use crate::warm::{blob, build, build_behind, build_online_behind, faults_of, pinned_base, temps};

/// Runs what follows with the cache mounted read-only over itself.
const READ_ONLY: [&str; 5] = [
    "unshare",
    "-rm",
    "sh",
    "-c",
    "mount --bind \"$KOCACHE\" \"$KOCACHE\" && mount -o remount,ro,bind \"$KOCACHE\" && exec \"$0\" \"$@\"",
];

/// Root as an ordinary user: permission bits count.
const WITHOUT_PRIVILEGES: [&str; 3] = [
    "setpriv",
    "--bounding-set",
    "-dac_override,-dac_read_search",
];

#[test]
#[ignore = "needs mounts"]
fn c13_a_read_only_cache_serves_hits_without_one_attempt_to_write() {
    let env = TestEnv::new();
    let (made, pin) = pinned_base(&env);
    let arguments = format!("{pin} --oci-archive @/a.tar");
    let expected = build(&env, &arguments).succeeds().digest();
    let log = env.path("trace").display().to_string();
    let calls = "trace=openat,?rename,renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat,?chmod,fchmodat,linkat";
    let mut wrapper = READ_ONLY.to_vec();
    wrapper.extend(["strace", "-f", "-qq", "-e", calls, "-o", &log]);
    let attempts = || {
        let trace = fs::read_to_string(&log).expect("written");
        assert!(trace.contains("/cache/img"), "nobody looked into the cache");
        let refused = trace.lines().filter(|line| line.contains("EROFS"));
        refused.map(str::to_owned).collect::<Vec<_>>()
    };
    let built = run(&mut build_behind(&env, &wrapper, &arguments)).succeeds();
    assert_eq!(built.digest(), expected);
    assert_eq!(attempts(), [""; 0]);
    let exports = ["out.tar", "out"].map(|to| format!("export {to} {}", made.index));
    for words in ["ls", "verify"]
        .map(str::to_owned)
        .into_iter()
        .chain(exports)
    {
        let mut command = env.wrapped(&env.path("home"), &wrapper);
        run(command.arg("cache").args(words.split(' '))).succeeds();
        assert_eq!(attempts(), [""; 0], "{words}");
    }
}

#[test]
#[ignore = "needs mounts"]
fn c13_a_read_only_cache_does_not_fail_a_build_that_makes_something_new() {
    let env = TestEnv::new();
    let (_, pin) = pinned_base(&env);
    let arguments = format!("{pin} --oci-archive @/a.tar --image-label new=1");
    let expected = build(&TestEnv::new(), "--base scratch --image-label new=1")
        .succeeds()
        .digest();
    for is_warm in [false, true] {
        if is_warm {
            build(&env, "--base scratch").succeeds();
        }
        run(&mut build_behind(&env, &READ_ONLY, &arguments))
            .succeeds()
            .says("is kept for this run only");
        let mut scratch = build_behind(&env, &READ_ONLY, "--base scratch --image-label new=1");
        assert_eq!(
            run(&mut scratch).succeeds().digest(),
            expected,
            "warm: {is_warm}"
        );
        assert!(env.path("a.tar").is_file());
    }
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
#[ignore = "needs mounts"]
fn c13_bases_are_looked_up_and_pinned_with_a_read_only_cache() {
    let env = TestEnv::new();
    let base = served(&env);
    let home = env.path("home");
    fs::write(home.join("Cargo.toml"), "[workspace]\n").expect("written");
    fs::create_dir(env.cache()).expect("made");
    for arguments in ["base pin", "base ls", "base update"] {
        let mut command = env.wrapped(&home, &READ_ONLY);
        command
            .env("TMPDIR", &home)
            .env("RBUILD_DEFAULT_BASE_IMAGE", base.tag());
        run(command.args(arguments.split(' ')))
            .succeeds()
            .says("is kept for this run only");
    }
    let lock = fs::read_to_string(home.join("builder.lock")).expect("a lock");
    assert!(lock.contains(&base.made.index), "{lock}");
    assert_eq!(tree(&env.cache()), [""; 0]);
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
#[ignore = "needs mounts"]
fn c13_an_image_in_a_read_only_cache_is_pushed_with_builtin_layers_that_it_lacks() {
    let env = TestEnv::new();
    let registry = TestRegistry::start();
    build(&env, "").succeeds();
    let mut push = env.wrapped(&env.path("home"), &READ_ONLY);
    push.args(["push", "hello", &format!("{}/x", registry.host())]);
    run(&mut push).succeeds();
    assert_eq!(registry.blobs("x").len(), 5);
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
#[ignore = "needs mounts"]
fn c14_a_read_only_cache_that_lacks_the_base_is_told_once_and_nothing_is_kept_in_it() {
    let env = TestEnv::new();
    let base = served(&env);
    fs::create_dir_all(env.cache().join("img")).expect("made");
    let outputs = format!("--tarball @/t.tar --base {}", base.pin());
    for _ in 0..2 {
        let mut command = build_online_behind(&env, &READ_ONLY, &outputs);
        let built = run(&mut command).succeeds();
        let said = built.stderr();
        let notes = said.matches("what is fetched is kept in").count();
        assert_eq!(notes, 1, "{said}");
        assert_eq!(base.asked().len(), 4, "index, manifest, config, layer");
        assert!(env.path("t.tar").exists());
    }
    assert_eq!(tree(&env.cache()), [""; 0]);
}

#[test]
#[ignore = "needs setpriv"]
fn c15_without_rights_to_the_cache_the_path_and_the_user_are_told_or_nothing_is_kept() {
    let shut = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    let env = TestEnv::new();
    let (made, pin) = pinned_base(&env);
    let img = env.cache().join("img");
    let manifest = blob(&img, &made.image);
    let run_as_user =
        |arguments: &str| run(&mut build_behind(&env, &WITHOUT_PRIVILEGES, arguments));
    shut(&manifest, 0o000);
    run_as_user(&pin)
        .ends_with(8)
        .says(&manifest.display().to_string())
        .says("runs as uid");
    shut(&manifest, 0o444);
    shut(&img, 0o000);
    run_as_user(&pin)
        .ends_with(8)
        .says(&img.display().to_string())
        .says("runs as uid");
    run_as_user("--base scratch").succeeds();
    shut(&img, 0o700);
    let store = env.cache().join("build");
    for closed in ["blobs/sha256", ".rbuild/tmp", ".rbuild", ""] {
        shut(&store.join(closed), 0o500);
        run_as_user("--base scratch --image-label other=1")
            .succeeds()
            .says("is kept for this run only")
            .says("no permission");
        shut(&store.join(closed), 0o700);
    }
    assert_eq!(temps(&env.path("")), [""; 0]);
}

#[test]
#[ignore = "needs mounts"]
fn c16_a_full_cache_ends_with_8_or_is_done_without_and_holds_nothing_torn() {
    let expected = build(&TestEnv::new(), "--base scratch").succeeds().digest();
    let script = "mount -t tmpfs -o size=$SIZE cache \"$KOCACHE\" && { \"$0\" \"$@\"; code=$?; cp -a \"$KOCACHE\" \"$COPY\"; exit $code; }";
    let mut codes = Vec::new();
    for size in [
        "4k", "20k", "28k", "32k", "40k", "48k", "64k", "100k", "150k", "200k", "250k", "300k",
        "340k", "400k", "8m",
    ] {
        let env = TestEnv::new();
        fs::create_dir(env.cache()).expect("made");
        let mut command = build_behind(
            &env,
            &["unshare", "-rm", "sh", "-c", script],
            "--base scratch",
        );
        let outcome = run(command.env("SIZE", size).env("COPY", env.path("copy")));
        let code = outcome.output.status.code();
        match code {
            Some(0) => assert_eq!(outcome.digest(), expected, "{size}"),
            Some(8) => assert!(
                outcome.stderr().contains("no space"),
                "{size}: {}",
                outcome.stderr()
            ),
            _ => panic!("{size}: {code:?} {}", outcome.stderr()),
        }
        codes.push(code);
        let store = env.path("copy/build");
        assert_eq!(faults_of(&store), [""; 0], "{size}");
        assert_eq!(temps(&store), [""; 0], "{size}");
    }
    assert!(codes.contains(&Some(8)), "{codes:?}");
    assert_eq!(
        (codes.first(), codes.last()),
        (Some(&Some(0)), Some(&Some(0))),
        "{codes:?}"
    );
}

#[test]
#[ignore = "needs mounts"]
fn c16_when_there_is_no_room_the_image_is_kept_for_the_run_and_the_old_index_stays() {
    let script = "mount -t tmpfs -o size=4m cache \"$KOCACHE\" && \"$0\" \"$@\" && cp -a \"$KOCACHE\" \"$COPY.before\" && \
                  { cat /dev/zero > \"$KOCACHE/fill\"; \"$0\" \"$@\" --tags another; code=$?; rm \"$KOCACHE/fill\"; cp -a \"$KOCACHE\" \"$COPY.after\"; exit $code; }";
    let env = TestEnv::new();
    fs::create_dir(env.cache()).expect("made");
    let mut command = build_behind(
        &env,
        &["unshare", "-rm", "sh", "-c", script],
        "--base scratch",
    );
    run(command.env("COPY", env.path("copy")))
        .succeeds()
        .says("no space")
        .says("is kept for this run only");
    let index =
        |when: &str| fs::read(env.path(&format!("copy.{when}/build/index.json"))).expect("there");
    assert!(index("before") == index("after"));
    assert_eq!(faults_of(&env.path("copy.after/build")), [""; 0]);
    assert_eq!(temps(&env.path("copy.after")), [""; 0]);
}
