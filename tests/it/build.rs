//! `rbuild build` on real workspaces, with nothing but rustup's toolchain.

use std::fs;

use crate::support::{TestEnv, architecture, base, document, hex, image, run, tree};
use crate::warm::script;
use serde_json::json;

#[test]
fn hello_becomes_an_image_and_one_line_says_which() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let built = env.rbuild(&hello, "build . --push=false").succeeds();
    assert!(
        built.stdout().starts_with("rbuild.local/hello@sha256:"),
        "{}",
        built.stdout()
    );
    let (manifest, config) = image(&env.cache().join("build"), &built.digest());
    assert_eq!(config["config"]["Entrypoint"], json!(["/app/hello"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(
        config["config"]["Labels"]["org.opencontainers.image.title"],
        "hello"
    );
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(4));
    assert_eq!(config["history"].as_array().map(Vec::len), Some(4));
}

#[test]
fn v04_another_directory_umask_timezone_and_cache_give_the_same_digest() {
    let digest = |umask: &str, zone: &str, jobs: &str| {
        let env = TestEnv::new();
        let hello = env.workspace("hello");
        let script = format!("umask {umask}; exec \"$@\"");
        let mut command = env.wrapped(&hello, &["sh", "-c", &script, "sh"]);
        run(command
            .env("TZ", zone)
            .args(["build", ".", "--push=false", "--jobs", jobs]))
        .succeeds()
        .digest()
    };
    assert_eq!(digest("022", "UTC", "1"), digest("077", "Asia/Tokyo", "2"));
}

#[test]
fn all_outputs_at_once_hold_the_same_image() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let outputs = "--oci-archive a.tar --tarball t.tar --oci-layout-path Out --image-refs refs --metadata-file meta.json";
    let built = env
        .rbuild(
            &hello,
            &format!("build . --push=false --repo R.Example/team --tags v1 {outputs}"),
        )
        .succeeds();
    let reference = format!("r.example/team/hello:v1@{}", built.digest());
    assert_eq!(built.stdout().trim(), reference);
    assert_eq!(
        fs::read_to_string(hello.join("refs"))
            .expect("written")
            .trim(),
        reference
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&fs::read(hello.join("meta.json")).expect("written")).expect("JSON");
    assert_eq!(metadata["containerimage.digest"], built.digest());
    let layout = hello.join("Out");
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).expect("written"))
            .expect("JSON");
    assert_eq!(index["manifests"][0]["digest"], built.digest());
    assert_eq!(
        index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"],
        "r.example/team/hello:v1"
    );
    for layer in document(&layout, &built.digest())["layers"]
        .as_array()
        .expect("a list")
    {
        assert!(
            layout
                .join("blobs")
                .join(
                    layer["digest"]
                        .as_str()
                        .expect("a digest")
                        .replace(':', "/")
                )
                .is_file()
        );
    }
    assert!(hello.join("a.tar").is_file() && hello.join("t.tar").is_file());
}

#[test]
fn the_layer_of_a_binary_is_made_while_cargo_is_still_at_work() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    // The end of `cargo build` waits until a blob is there, half a minute at most: only the binary's layer can be one by then.
    let waiting = "[ $1 = build ] || exec cargo \"$@\"; cargo \"$@\" || exit
        for turn in $(seq 300); do ls \"$BLOBS\" 2> /dev/null | grep -q . && exit; sleep 0.1; done; exit 1";
    let waiting = script(&env.path("waiting-cargo"), waiting);
    let mut command = env.command(&hello);
    let command = command.args(["build", ".", "--push=false", "--base=scratch"]);
    let blobs = env.cache().join("build/blobs/sha256");
    let built = run(command.env("CARGO", waiting).env("BLOBS", blobs)).succeeds();
    assert_eq!(
        image(&env.cache().join("build"), &built.digest()).1["rootfs"]["diff_ids"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_build_that_would_push_is_refused_before_anything_happens() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    env.rbuild(&hello, "build . --oci-archive a.tar")
        .ends_with(2)
        .says("--push=false");
    assert!(
        !env.cache().join("build/blobs").exists()
            && !hello.join("target").exists()
            && !hello.join("a.tar").exists()
    );
}

#[test]
fn a_target_that_cannot_be_written_is_refused_before_cargo_compiles() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    for (target, code) in [
        ("--oci-archive /dev/null", 2),
        ("--image-refs /dev/stdout", 2),
        ("--metadata-file src", 2),
        ("--oci-layout-path src", 2),
        ("--tarball no/such/t.tar", 8),
    ] {
        env.rbuild(&hello, &format!("build . --push=false {target}"))
            .ends_with(code)
            .says("hint:");
    }
    assert!(!hello.join("target").exists(), "cargo compiled nothing");
}

#[test]
fn one_call_makes_an_image_for_each_binary_of_a_workspace() {
    let env = TestEnv::new();
    let twins = env.workspace("twins");
    let built = env.rbuild(&twins, "build . --push=false").succeeds();
    let names: Vec<String> = built
        .stdout()
        .lines()
        .map(|line| line.split('@').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let dry = env
        .rbuild(&twins, "build . --push=false --dry-run")
        .succeeds();
    assert_eq!(
        dry.stdout()
            .lines()
            .filter(|line| line.starts_with("run "))
            .count(),
        1,
        "{}",
        dry.stdout()
    );
}

#[test]
fn a_program_with_a_macro_and_a_build_script_compiles() {
    let env = TestEnv::new();
    env.rbuild(&env.workspace("macros"), "build . --push=false")
        .succeeds();
}

#[test]
fn a_program_that_does_not_compile_ends_with_3_and_rustcs_own_words() {
    let env = TestEnv::new();
    let broken = env.workspace("broken");
    let failed = env
        .rbuild(&broken, "build . --push=false --oci-archive a.tar")
        .ends_with(3)
        .says("error[E");
    assert_eq!(failed.stdout(), "");
    assert!(!broken.join("a.tar").exists());
    let index = fs::read_to_string(env.cache().join("build/index.json")).expect("there");
    assert!(!index.contains("sha256:"), "no image was named: {index}");
}

#[test]
fn kodata_becomes_a_layer_of_its_own_with_its_variable() {
    let env = TestEnv::new();
    let built = env
        .rbuild(
            &env.workspace("assets"),
            "build . --push=false --base scratch",
        )
        .succeeds();
    let (manifest, config) = image(&env.cache().join("build"), &built.digest());
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(2));
    let variables = config["config"]["Env"].as_array().expect("a list");
    assert!(
        variables.contains(&json!("KO_DATA_PATH=/var/run/ko")),
        "{variables:?}"
    );
}

#[test]
fn the_configuration_says_what_the_image_is_like() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::create_dir(hello.join("static")).expect("made");
    fs::write(hello.join("static/page.html"), "<p>").expect("written");
    let yaml = "defaultBaseImage: scratch\nbuilds:\n- bin: hello\n  profile: dev\n  image:\n    name: greeting\n    path: /bin/greet\n    \
                args: [world]\n    env: {A: b}\n    user: \"1000\"\n    labels: {x: y}\n    ports: [8080/tcp]\n    stopSignal: SIGINT\n  \
                assets:\n  - {from: static/, to: /srv}\n";
    fs::write(hello.join(".builder.yaml"), yaml).expect("written");
    let built = env
        .rbuild(&hello, "build . --push=false --image-label z=1")
        .succeeds();
    assert!(
        built.stdout().starts_with("rbuild.local/greeting@"),
        "{}",
        built.stdout()
    );
    let (manifest, config) = image(&env.cache().join("build"), &built.digest());
    let run = &config["config"];
    assert_eq!(
        (&run["Entrypoint"], &run["Cmd"]),
        (&json!(["/bin/greet"]), &json!(["world"]))
    );
    assert_eq!(
        (&run["User"], &run["StopSignal"]),
        (&json!("1000"), &json!("SIGINT"))
    );
    assert_eq!(
        (&run["Labels"]["x"], &run["Labels"]["z"]),
        (&json!("y"), &json!("1"))
    );
    assert_eq!(run["ExposedPorts"], json!({"8080/tcp": {}}));
    assert_eq!(run["Env"], json!(["PATH=/bin", "A=b"]));
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(2));
    assert!(
        hello
            .join("target")
            .join(format!(
                "{}-unknown-linux-musl/debug/hello",
                std::env::consts::ARCH
            ))
            .exists()
            || hello
                .join("target")
                .join(format!(
                    "{}-unknown-linux-gnu/debug/hello",
                    std::env::consts::ARCH
                ))
                .exists()
    );
}

#[test]
fn a_mistake_in_the_configuration_is_shown_where_it_is() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(hello.join(".builder.yaml"), "defaultBaseImag: scratch\n").expect("written");
    env.rbuild(&hello, "build . --push=false")
        .ends_with(2)
        .says("defaultBaseImage")
        .says(".builder.yaml:1:");
}

#[test]
fn an_override_chooses_the_base_of_one_package() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let made = base(&env.cache().join("img"), false, &[]);
    fs::write(
        hello.join(".builder.yaml"),
        format!(
            "baseImageOverrides:\n  hello: r.example/base@{}\n  nobody: scratch\n",
            made.index
        ),
    )
    .expect("written");
    let built = env
        .rbuild(&hello, "build . --push=false")
        .succeeds()
        .says("`nobody` in baseImageOverrides names no binary here");
    let (manifest, config) = image(&env.cache().join("build"), &built.digest());
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.base.digest"],
        made.image
    );
    assert_eq!(config["config"]["User"], "7");
}

#[test]
fn a_second_build_changes_no_byte_of_the_cache() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let first = env
        .rbuild(&hello, "build . --push=false")
        .succeeds()
        .digest();
    let state = || -> Vec<String> {
        let kept = tree(&env.cache())
            .into_iter()
            .filter(|name| !name.contains("/records/"));
        kept.map(|name| {
            format!(
                "{name} {}",
                hex(&fs::read(env.cache().join(&name)).expect("there"))
            )
        })
        .collect()
    };
    let before = state();
    let second = env
        .rbuild(&hello, "build . --push=false")
        .succeeds()
        .says("reused");
    assert_eq!(first, second.digest());
    assert_eq!(before, state());
}

#[test]
fn a_dry_run_prints_the_plan_and_does_nothing() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let dry = env
        .rbuild(&hello, "build . --push=false --oci-archive a.tar --dry-run")
        .succeeds();
    for part in [
        "run ",
        "cargo build",
        "--bin=hello",
        "image rbuild.local/hello:latest",
        "write archive",
    ] {
        assert!(
            dry.stdout().contains(part),
            "{part} is not in {}",
            dry.stdout()
        );
    }
    assert!(!hello.join("target").exists() && !hello.join("a.tar").exists());
}

#[test]
fn help_version_and_completions_are_answers() {
    let env = TestEnv::new();
    let here = env.path("home");
    for (arguments, part) in [
        ("--help", "Usage: rbuild"),
        ("version", "rbuild 0."),
        ("completions bash", "_rbuild"),
        ("cache dir", "/cache"),
    ] {
        let answer = env.rbuild(&here, arguments).succeeds();
        assert!(
            answer.stdout().contains(part),
            "{arguments}: {}",
            answer.stdout()
        );
    }
    env.rbuild(&here, "build --no-such-flag").ends_with(2);
    env.rbuild(&here, "build . --push=false")
        .ends_with(3)
        .says("Cargo.toml");
}

#[test]
fn config_show_tells_every_value_and_where_it_came_from() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(
        hello.join(".builder.yaml"),
        "defaultBaseImage: scratch\ndefaultFlags: [--locked]\n",
    )
    .expect("written");
    let shown = run(env
        .command(&hello)
        .args(["config", "show"])
        .env("KO_DEFAULTBASEIMAGE", "builtin:static"))
    .succeeds()
    .stdout();
    let file = hello.join(".builder.yaml").display().to_string();
    for line in [
        "defaultBaseImage: builtin:static  # environment, KO_DEFAULTBASEIMAGE".to_owned(),
        format!("defaultFlags: [\"--locked\"]  # {file}"),
        format!("configuration: {file}  # found"),
        "offline: false  # built in".to_owned(),
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is not in\n{shown}"
        );
    }
    let bad = run(env
        .command(&hello)
        .args(["config", "show"])
        .env("RBUILD_DEFAULT_PLATFORMS", "linux"));
    bad.ends_with(2).says("RBUILD_DEFAULT_PLATFORMS");
}

#[test]
fn cache_ls_tells_name_digest_platforms_state_and_size() {
    let env = TestEnv::new();
    let made = base(&env.cache().join("img"), false, &["r.example/base:1"]);
    let listed = env
        .rbuild(&env.path("home"), "cache ls")
        .succeeds()
        .stdout();
    let columns: Vec<&str> = listed.trim().split('\t').collect();
    let platform = format!("linux/{}", architecture());
    assert_eq!(
        columns[..4],
        ["r.example/base:1", &made.index, &platform, "metadata"]
    );
}

#[test]
fn two_directories_of_one_workspace_are_one_cargo_call() {
    let env = TestEnv::new();
    let twins = env.workspace("twins");
    let members: Vec<String> = fs::read_dir(&twins)
        .expect("listed")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("./{}", entry.file_name().to_string_lossy()))
        .collect();
    assert_eq!(members.len(), 2, "{members:?}");
    let dry = env
        .rbuild(
            &twins,
            &format!("build {} --push=false --dry-run", members.join(" ")),
        )
        .succeeds();
    let calls = dry
        .stdout()
        .lines()
        .filter(|line| line.starts_with("run "))
        .count();
    assert_eq!(calls, 1, "{}", dry.stdout());
}

#[test]
fn a_builds_features_count_when_its_binary_needs_them() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let manifest = fs::read_to_string(hello.join("Cargo.toml")).expect("there");
    let bin = "\n[features]\ntls = []\n\n[[bin]]\nname = \"secure\"\npath = \"src/main.rs\"\nrequired-features = [\"tls\"]\n";
    fs::write(hello.join("Cargo.toml"), manifest + bin).expect("written");
    env.rbuild(&hello, "build . --push=false --bin secure --dry-run")
        .ends_with(2)
        .says("--features tls");
    fs::write(
        hello.join(".builder.yaml"),
        "builds:\n- {bin: secure, features: [tls]}\n",
    )
    .expect("written");
    let dry = env
        .rbuild(&hello, "build . --push=false --bin secure --dry-run")
        .succeeds();
    assert!(dry.stdout().contains("--features=tls"), "{}", dry.stdout());
}
