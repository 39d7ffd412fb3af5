//! Several platforms, several binaries and several images of one run, with nothing but rustup's toolchain.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Run, TestEnv, document, hex, image, run};

const BOTH: &str = "--platform linux/arm64,linux/amd64";

/// The cargo calls that a dry run prints.
fn calls(run: &Run) -> Vec<String> {
    let stdout = run.stdout();
    let calls = stdout.lines().filter(|line| line.starts_with("run "));
    calls.map(str::to_owned).collect()
}

/// The names of the images, in the order of the answer.
fn names(run: &Run) -> Vec<String> {
    let stdout = run.stdout();
    let name = |line: &str| line.split('@').next().unwrap_or_default().to_owned();
    stdout.lines().map(name).collect()
}

fn script(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("it lies somewhere")).expect("made");
    fs::write(file, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("set");
}

/// `PATH` with programs of these names in front, which nobody starts.
fn path_with(env: &TestEnv, programs: &[&str]) -> String {
    let directory = env.path("programs");
    for program in programs {
        script(&directory.join(program), "exit 1");
    }
    format!("{}:{}", directory.display(), env!("PATH"))
}

/// A toolchain that has the standard library for `targets` alone: the value of `RUSTC`.
fn toolchain(env: &TestEnv, targets: &[&str]) -> PathBuf {
    let (rustc, sysroot) = (env.path("rustc"), env.path("sysroot"));
    let library = sysroot.join("lib/rustlib");
    for target in targets {
        fs::create_dir_all(library.join(target).join("lib")).expect("made");
    }
    let lld = library.join("x86_64-unknown-linux-gnu/bin/rust-lld");
    script(&lld, "exit 1");
    let said = format!(
        "echo '{}'; echo x86_64-unknown-linux-gnu",
        sysroot.display()
    );
    let text = format!("case \"$*\" in *sysroot*) {said} ;; *) exec rustc \"$@\" ;; esac");
    script(&rustc, &text);
    rustc
}

/// A base in the layout at `directory`: one image for each platform, and an index over them.
fn base_for(directory: &Path, platforms: &[Value]) {
    let put = |value: &Value| {
        let bytes = value.to_string();
        let digest = hex(bytes.as_bytes());
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("made");
        fs::write(blobs.join(&digest), &bytes).expect("written");
        json!({"digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let child = |platform: &Value| {
        let mut config = platform.clone();
        config["config"] = json!({"Env": ["PATH=/bin"]});
        config["rootfs"] = json!({"type": "layers", "diff_ids": []});
        let mut config = put(&config);
        config["mediaType"] = json!(oci("config.v1+json"));
        let mut entry = put(
            &json!({"schemaVersion": 2, "mediaType": oci("manifest.v1+json"), "config": config, "layers": []}),
        );
        entry["mediaType"] = json!(oci("manifest.v1+json"));
        entry["platform"] = platform.clone();
        entry
    };
    let children: Vec<Value> = platforms.iter().map(child).collect();
    let mut index =
        put(&json!({"schemaVersion": 2, "mediaType": oci("index.v1+json"), "manifests": children}));
    index["mediaType"] = json!(oci("index.v1+json"));
    let top = json!({"schemaVersion": 2, "manifests": [index]});
    fs::write(directory.join("index.json"), top.to_string()).expect("written");
    fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
}

fn linux(architecture: &str) -> Value {
    json!({"os": "linux", "architecture": architecture})
}

/// Platform and digest of each image of an index.
fn children(index: &Value) -> Vec<(String, String)> {
    let manifests = index["manifests"].as_array().expect("an index");
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let child = |child: &Value| {
        (
            word(&child["platform"]["architecture"]),
            word(&child["digest"]),
        )
    };
    manifests.iter().map(child).collect()
}

#[test]
fn a_binary_with_c_code_does_not_split_the_call_of_all() {
    let env = TestEnv::new();
    let native = env.workspace("mixed");
    let compilers = ["x86_64-linux-musl-gcc", "aarch64-linux-musl-gcc"];
    let words = "build . --push=false --dry-run --platform linux/amd64,linux/arm64";
    let dry = run(env
        .command(&native)
        .env("PATH", path_with(&env, &compilers))
        .args(words.split(' ')))
    .succeeds();
    let calls = calls(&dry);
    assert_eq!(calls.len(), 1, "{calls:?}");
    for part in [
        "--package=plain@0.1.0",
        "--package=sealed@0.1.0",
        "CC_aarch64_unknown_linux_musl=aarch64-linux-musl-gcc",
        "CC_x86_64_unknown_linux_musl=x86_64-linux-musl-gcc",
    ] {
        assert!(calls[0].contains(part), "{part} is not in {}", calls[0]);
    }
}

#[test]
fn a_c_compiler_that_is_missing_is_refused_before_a_registry_is_asked_for_the_base() {
    let env = TestEnv::new();
    let mixed = env.workspace("mixed");
    let sysroot =
        run(crate::support::command("rustc", &["--print", "sysroot"]).current_dir(&mixed));
    let tools = Path::new(sysroot.succeeds().stdout().trim()).join("bin");
    let empty = env.path("empty");
    fs::create_dir(&empty).expect("made");
    let words = "build . --push=false --platform linux/arm64 --base localhost:1/nothing:v1";
    run(env
        .command(&mixed)
        .env("PATH", &empty)
        .env("CARGO", tools.join("cargo"))
        .env("RUSTC", tools.join("rustc"))
        .args(words.split(' ')))
    .ends_with(2)
    .says("`sealed` needs a C compiler for `aarch64-unknown-linux-musl`");
}

#[test]
fn an_index_holds_the_images_of_single_builds_in_the_order_of_the_request() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let store = env.cache().join("build");
    let build = |platform: &str| {
        let words = format!("build . --push=false --platform {platform}");
        env.rbuild(&hello, &words).succeeds().digest()
    };
    let index = document(&store, &build("linux/arm64/v8,linux/amd64,linux/aarch64"));
    let single = |name: &str| (name.to_owned(), build(&format!("linux/{name}")));
    assert_eq!(children(&index), [single("arm64"), single("amd64")]);
    let (manifest, config) = image(&store, &build("linux/arm64"));
    assert!(manifest["layers"].is_array(), "one platform is an image");
    assert_eq!(config["architecture"], "arm64");
}

#[test]
fn all_is_what_the_base_has_in_its_order_and_what_is_left_out_is_told() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let windows = json!({"os": "windows", "architecture": "amd64", "os.version": "10"});
    let arm = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    base_for(&hello.join("base"), &[arm, windows, linux("amd64")]);
    let built = env
        .rbuild(
            &hello,
            "build . --push=false --platform all --base oci:base",
        )
        .succeeds()
        .says("`oci:")
        .says("windows/amd64 too: rbuild cannot compile for them");
    let index = document(&env.cache().join("build"), &built.digest());
    let architectures: Vec<String> = children(&index).into_iter().map(|(name, _)| name).collect();
    assert_eq!(architectures, ["arm64", "amd64"]);
    let listed = env
        .rbuild(
            &hello,
            &format!("build . --push=false {BOTH} --base oci:base"),
        )
        .succeeds();
    assert_eq!(listed.digest(), built.digest());
}

#[test]
fn all_is_taken_from_the_environment_and_the_configuration_and_one_platform_is_an_image() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    base_for(&hello.join("base"), &[linux("arm64")]);
    let words = ["build", ".", "--push=false", "--base", "oci:base"];
    let named = run(env
        .command(&hello)
        .env("RBUILD_DEFAULT_PLATFORMS", "all")
        .args(words))
    .succeeds();
    let manifest = document(&env.cache().join("build"), &named.digest());
    assert!(manifest["layers"].is_array(), "no index: {manifest}");
    fs::write(hello.join(".builder.yaml"), "defaultPlatforms: [all]\n").expect("written");
    let configured = run(env.command(&hello).args(words)).succeeds();
    assert_eq!(configured.digest(), named.digest());
}

#[test]
fn all_stands_alone() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    env.rbuild(&hello, "build . --push=false --platform all,linux/amd64")
        .ends_with(2)
        .says("`all` stands beside other platforms")
        .says("given by `--platform`");
}

#[test]
fn a_base_without_the_platform_is_refused_with_what_it_has_before_cargo_compiles() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    base_for(&hello.join("several"), &[linux("s390x"), linux("arm64")]);
    base_for(&hello.join("one"), &[linux("arm64")]);
    for (base, offers) in [
        ("several", "it offers linux/arm64, linux/s390x"),
        ("one", "it offers linux/arm64"),
    ] {
        env.rbuild(
            &hello,
            &format!("build . --push=false --platform linux/amd64 --base oci:{base}"),
        )
        .ends_with(2)
        .says("it has no image for linux/amd64")
        .says(offers);
    }
    assert!(!hello.join("target").exists(), "cargo compiled nothing");
}

#[test]
fn a_variant_without_a_target_is_refused_with_the_plain_platform() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    env.rbuild(&hello, "build . --push=false --platform linux/amd64/v3")
        .ends_with(2)
        .says("cannot compile for linux/amd64/v3")
        .says("use `linux/amd64`, with `-Ctarget-cpu=x86-64-v3`");
}

#[test]
fn every_missing_target_of_a_run_is_in_one_command() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let rustc = toolchain(&env, &["x86_64-unknown-linux-musl"]);
    let platforms = "linux/amd64,linux/arm64,linux/s390x,linux/386";
    run(env.command(&hello).env("RUSTC", &rustc).args([
        "build",
        ".",
        "--push=false",
        "--platform",
        platforms,
    ]))
    .ends_with(2)
    .says("cannot compile for linux/arm64, linux/s390x, linux/386")
    .says("rustup target add aarch64-unknown-linux-musl s390x-unknown-linux-gnu i686-unknown-linux-musl`")
    .says("--install-targets");
}

#[test]
fn targets_are_installed_by_rustup_in_the_projects_directory_when_that_is_asked_for_and_never_else()
{
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let rustc = toolchain(&env, &["x86_64-unknown-linux-musl"]);
    let log = env.path("rustup.log");
    let library = env.path("sysroot").join("lib/rustlib");
    let made = format!(
        "mkdir -p '{}'/aarch64-unknown-linux-musl/lib",
        library.display()
    );
    let rustup = format!(
        "echo \"$PWD: $*\" >> '{}'; echo to stdout; {made}; exit 7",
        log.display()
    );
    script(&env.path("programs").join("rustup"), &rustup);
    let path = path_with(&env, &[]);
    let build = |words: &str| {
        let words = format!("build . --push=false --platform linux/arm64 {words}");
        run(env
            .command(&hello)
            .env("RUSTC", &rustc)
            .env("PATH", &path)
            .args(words.split_whitespace()))
    };
    build("").ends_with(2);
    build("--offline --install-targets")
        .ends_with(2)
        .says("the run is offline");
    build("--dry-run --install-targets").ends_with(2);
    assert!(!log.exists(), "nobody asked for rustup");
    let failed = build("--install-targets").ends_with(2);
    let failed = failed.says("rustup did not install aarch64-unknown-linux-musl");
    assert_eq!(failed.stdout(), "", "rustup's words are not ours");
    let hello = hello.canonicalize().expect("it is there");
    let said = fs::read_to_string(&log).expect("rustup ran");
    assert_eq!(
        said,
        format!(
            "{}: target add aarch64-unknown-linux-musl\n",
            hello.display()
        )
    );
    build("--dry-run").succeeds();
}

#[test]
fn where_rustup_has_no_musl_a_second_call_links_glibc_statically() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    let targets = ["x86_64-unknown-linux-musl", "s390x-unknown-linux-gnu"];
    let dry = run(env
        .command(&hello)
        .env("RUSTC", toolchain(&env, &targets))
        .env("PATH", path_with(&env, &["s390x-linux-gnu-gcc"]))
        .args(["build", ".", "--push=false", "--dry-run"])
        .args(["--platform", "linux/amd64,linux/s390x"]))
    .succeeds()
    .says("rustup has no musl target for linux/s390x");
    let calls = calls(&dry);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(!calls[0].contains("crt-static"), "{}", calls[0]);
    for part in ["+crt-static", "LINKER=s390x-linux-gnu-gcc"] {
        assert!(calls[1].contains(part), "{part} is not in {}", calls[1]);
    }
}

#[test]
fn several_images_of_one_run_come_from_one_call_and_are_those_of_single_builds() {
    let env = TestEnv::new();
    let crew = env.workspace("crew");
    fs::remove_file(crew.join(".builder.yaml")).expect("removed");
    let build = |words: &str| {
        env.rbuild(&crew, &format!("build --push=false {words}"))
            .succeeds()
    };
    let all = build("--workspace");
    let called = [
        "rbuild.local/web",
        "rbuild.local/migrate",
        "rbuild.local/sweep",
    ];
    assert_eq!(names(&all), called);
    assert_eq!(build("-p jobs -p web").stdout(), all.stdout());
    assert_eq!(
        build("-p jobs web --bin web --bin sweep --bin migrate").stdout(),
        all.stdout()
    );
    let one_by_one: Vec<String> = ["web", "migrate", "sweep"]
        .iter()
        .map(|name| build(&format!("--workspace --bin {name}")).stdout())
        .collect();
    assert_eq!(one_by_one.concat(), all.stdout());
    let dry = build(&format!("--workspace --dry-run {BOTH}"));
    let calls = calls(&dry);
    assert_eq!(calls.len(), 1, "{calls:?}");
    for part in [
        "--package=jobs@0.1.0",
        "--package=web@0.1.0",
        "--bin=migrate",
        "--bin=sweep",
    ] {
        assert!(calls[0].contains(part), "{part} is not in {}", calls[0]);
    }
}

/// Every path in the last layer of an image in a layout.
fn last_layer(layout: &Path, manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().expect("layers");
    let digest = layers.last().expect("a layer")["digest"]
        .as_str()
        .expect("a digest");
    let file = fs::File::open(layout.join("blobs").join(digest.replace(':', "/"))).expect("there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let entries = archive.entries().expect("a tar");
    let path = |entry: std::io::Result<tar::Entry<'_, _>>| {
        entry
            .expect("an entry")
            .path()
            .expect("a path")
            .display()
            .to_string()
    };
    entries.map(path).collect()
}

#[test]
fn further_binaries_lie_beside_the_main_one_in_one_layer_and_are_no_images() {
    let env = TestEnv::new();
    let crew = env.workspace("crew");
    let built = env
        .rbuild(&crew, &format!("build . --push=false {BOTH}"))
        .succeeds();
    assert_eq!(names(&built), ["rbuild.local/web"]);
    let store = env.cache().join("build");
    for (_, digest) in children(&document(&store, &built.digest())) {
        let (manifest, config) = image(&store, &digest);
        let paths = last_layer(&store, &manifest);
        let files: Vec<&String> = paths.iter().filter(|path| !path.ends_with('/')).collect();
        assert_eq!(files, ["app/migrate", "app/web"]);
        assert_eq!(config["config"]["Entrypoint"], json!(["/app/web"]));
        let told = config["history"]
            .as_array()
            .expect("a list")
            .last()
            .expect("one");
        assert!(
            told.to_string()
                .contains("the binaries, at /app/migrate, /app/web"),
            "{told}"
        );
    }
    let dry = env
        .rbuild(&crew, "build . --push=false --dry-run")
        .succeeds();
    assert_eq!(calls(&dry).len(), 1);
    assert!(
        dry.stdout().contains("with `migrate` at /app/migrate"),
        "{}",
        dry.stdout()
    );
}

#[test]
fn a_further_binary_that_is_selected_itself_is_an_image_too() {
    let env = TestEnv::new();
    let crew = env.workspace("crew");
    let built = env
        .rbuild(
            &crew,
            "build --push=false --workspace --bin web --bin migrate --dry-run",
        )
        .succeeds();
    let images: Vec<String> = built
        .stdout()
        .lines()
        .filter(|line| line.starts_with("image "))
        .map(str::to_owned)
        .collect();
    assert_eq!(images.len(), 2, "{images:?}");
    assert_eq!(calls(&built).len(), 1);
}

#[test]
fn further_binaries_that_cannot_be_are_refused_before_cargo_compiles() {
    let env = TestEnv::new();
    let crew = env.workspace("crew");
    for (config, words, said) in [
        (
            "{package: web, binaries: [nope]}",
            ".",
            "the workspace has no binary `nope`",
        ),
        (
            "{package: web, binaries: [migrate], image: {path: /app/migrate}}",
            ".",
            "the binaries `web` and `migrate` would both lie at /app/migrate",
        ),
        (
            "{package: web, features: [], profile: dev, binaries: [migrate]}",
            "--workspace",
            "the binary `migrate` would be compiled in two ways",
        ),
    ] {
        fs::write(crew.join(".builder.yaml"), format!("builds: [{config}]\n")).expect("written");
        env.rbuild(&crew, &format!("build --push=false {words}"))
            .ends_with(2)
            .says(said);
    }
    assert!(!crew.join("target").exists(), "cargo compiled nothing");
}
