//! Hostile documents, configurations, assets and names: refused before anything is compiled, with the place where they stand.
//!
//! The rooms' own tests try every case of every row; here the whole program meets one of each and its exit code is the answer.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{MadeBase, TestEnv, architecture, base, document, image, peer, run, tree};
use crate::warm::{blob, build, put};

/// A world whose cache holds a good base, from which bad ones are made.
struct Hostile {
    env: TestEnv,
    made: MadeBase,
}

impl Hostile {
    fn new() -> Hostile {
        let env = TestEnv::new();
        let made = base(&env.cache().join("img"), true, &[]);
        Hostile { env, made }
    }

    fn good(&self, digest: &str) -> Value {
        document(&self.env.cache().join("img"), digest)
    }

    /// The plan for a base that is these bytes, in memory that would not do for what they promise.
    fn pinned(&self, bytes: &[u8]) -> crate::support::Run {
        let digest = put(&self.env.cache().join("img"), bytes);
        let wrapper = ["sh", "-c", "ulimit -v 900000; exec \"$@\"", "sh"];
        let arguments = format!("--dry-run --base r.example/base@{digest}");
        run(&mut crate::warm::build_behind(
            &self.env, &wrapper, &arguments,
        ))
    }

    /// The same for the good manifest with one change.
    fn manifest(&self, change: impl Fn(&mut Value)) -> crate::support::Run {
        let mut manifest = self.good(&self.made.image);
        change(&mut manifest);
        self.pinned(manifest.to_string().as_bytes())
    }

    /// The same for a manifest whose config is these bytes.
    fn config(&self, bytes: &[u8]) -> crate::support::Run {
        let digest = put(&self.env.cache().join("img"), bytes);
        self.manifest(|manifest| {
            manifest["config"]["digest"] = digest.as_str().into();
            manifest["config"]["size"] = bytes.len().into();
        })
    }
}

#[test]
fn h01_another_image_under_the_pinned_digest_is_not_taken() {
    let hostile = Hostile::new();
    let img = hostile.env.cache().join("img");
    let mut other = hostile.good(&hostile.made.image);
    other["annotations"] = json!({"another": "image"});
    fs::write(blob(&img, &hostile.made.image), other.to_string()).expect("written");
    build(
        &hostile.env,
        &format!("--base r.example/base@{}", hostile.made.image),
    )
    .ends_with(5);
    let mut command = crate::warm::build_behind(&hostile.env, &[], "--base");
    fs::write(blob(&img, &hostile.made.image), other.to_string()).expect("written");
    run(command.arg(format!("oci:{}@{}", img.display(), hostile.made.image))).ends_with(5);
}

#[test]
fn h02_a_digest_that_is_none_ends_with_5_in_a_document_and_with_2_on_the_command_line() {
    let hostile = Hostile::new();
    let long = format!("sha256:{}", "a".repeat(1 << 20));
    let upper = format!("sha256:{}", "A".repeat(64));
    let short = format!("sha256:{}", "a".repeat(63));
    for digest in [
        "sha256:../../x",
        "sha256:",
        "",
        "foo:bar",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        &upper,
        &short,
        &long,
    ] {
        hostile
            .manifest(|manifest| manifest["layers"][0]["digest"] = digest.into())
            .ends_with(5);
        hostile
            .manifest(|manifest| manifest["config"]["digest"] = digest.into())
            .ends_with(5);
        if digest.len() < 1 << 16 {
            build(
                &hostile.env,
                &format!("--dry-run --base r.example/base@{digest}"),
            )
            .ends_with(2);
        }
    }
}

#[test]
fn h03_a_size_that_no_file_can_have_ends_with_5_and_costs_no_memory() {
    let hostile = Hostile::new();
    for size in [
        json!(-1),
        json!(1e30),
        json!("6"),
        json!(null),
        json!(u64::MAX),
        json!(0),
        json!(1),
    ] {
        hostile
            .manifest(|manifest| manifest["config"]["size"] = size.clone())
            .ends_with(5);
    }
    for size in [json!(-1), json!(1e30), json!("6"), json!(null)] {
        hostile
            .manifest(|manifest| manifest["layers"][0]["size"] = size.clone())
            .ends_with(5);
    }
}

#[test]
fn h04_a_document_that_is_manifest_and_index_at_once_ends_with_5() {
    let hostile = Hostile::new();
    hostile
        .manifest(|manifest| manifest["manifests"] = json!([]))
        .ends_with(5)
        .says("ambiguous");
}

#[test]
fn h06_json_that_parsers_disagree_about_ends_with_5() {
    let hostile = Hostile::new();
    let good = hostile.good(&hostile.made.image).to_string();
    let bad: [Vec<u8>; 7] = [
        good.replacen('{', "{\"schemaVersion\":2,", 1).into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        format!("{good} {{}}").into_bytes(),
        good.replacen(":2", ":NaN", 1).into_bytes(),
        "[".repeat(100_000).into_bytes(),
        good.replacen("schemaVersion", "schema\u{0}", 1)
            .into_bytes(),
        [good.as_bytes(), b"\xff"].concat(),
    ];
    for bytes in bad {
        hostile.pinned(&bytes).ends_with(5);
    }
}

#[test]
fn h07_schema_1_and_unknown_types_are_refused_as_a_base_and_passed_over_in_an_index() {
    let hostile = Hostile::new();
    let schema1 =
        json!({"schemaVersion": 1, "name": "x", "tag": "y", "fsLayers": [], "history": []});
    hostile.pinned(schema1.to_string().as_bytes()).ends_with(2);
    hostile
        .manifest(|manifest| manifest["mediaType"] = "application/vnd.example.thing".into())
        .ends_with(2);
    let mut index = hostile.good(&hostile.made.index);
    let stranger = json!({"mediaType": "application/vnd.example.thing", "digest": format!("sha256:{}", "a".repeat(64)), "size": 1});
    let children = index["manifests"].as_array_mut().expect("a list");
    children.insert(0, stranger);
    hostile.pinned(index.to_string().as_bytes()).succeeds();
}

#[test]
fn h11_indexes_without_end_are_over_a_limit() {
    let hostile = Hostile::new();
    let img = hostile.env.cache().join("img");
    let mut index = hostile.good(&hostile.made.index);
    for _ in 0..100 {
        let bytes = index.to_string();
        let digest = put(&img, bytes.as_bytes());
        let mut child = index["manifests"][0].clone();
        child["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
        child["digest"] = digest.into();
        child["size"] = bytes.len().into();
        index["manifests"] = json!([child]);
    }
    hostile.pinned(index.to_string().as_bytes()).ends_with(8);
    let mut wide = hostile.good(&hostile.made.index);
    let child = wide["manifests"][0].clone();
    wide["manifests"] = Value::from(vec![child; 20_000]);
    hostile.pinned(wide.to_string().as_bytes()).ends_with(8);
}

#[test]
fn h14_a_config_that_does_not_fit_ends_with_5_and_an_odd_one_is_kept() {
    let hostile = Hostile::new();
    let platform = json!({"os": "linux", "architecture": architecture()});
    let with = |more: Value| {
        let mut config = platform.clone();
        config
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        config.to_string().into_bytes()
    };
    let diff_id = format!("sha256:{}", "0".repeat(64));
    hostile
        .config(&with(json!({"rootfs": {"type": "layers", "diff_ids": []}})))
        .ends_with(5);
    hostile
        .config(&with(
            json!({"rootfs": {"type": "layers", "diff_ids": [diff_id, diff_id]}}),
        ))
        .ends_with(5);
    hostile.config(&with(json!({}))).ends_with(5);
    hostile.config(b"[]").ends_with(5);
    let odd = with(
        json!({"rootfs": {"type": "layers", "diff_ids": [diff_id]}, "vendor.key": {"b": 1, "a": [null]},
        "config": {"Env": ["NO_EQUALS", "=odd"], "User": "a\nb", "Labels": {"big": "x".repeat(1 << 20)}, "Unknown": true}}),
    );
    hostile.config(&odd).succeeds();
}

/// hello with a configuration or other things of its own; nothing of it is ever compiled.
fn refused(prepare: impl Fn(&TestEnv, &Path)) -> String {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    prepare(&env, &hello);
    let refused = env
        .rbuild(
            &hello,
            "build . --push=false --base scratch --oci-archive a.tar",
        )
        .ends_with(2);
    assert_eq!(refused.stdout(), "");
    let nothing = !hello.join("target").exists() && !hello.join("a.tar").exists();
    assert!(nothing && tree(&env.cache().join("build/blobs")).is_empty());
    refused.stderr()
}

fn configured(text: impl AsRef<[u8]>) -> String {
    refused(|_, hello| fs::write(hello.join(".builder.yaml"), text.as_ref()).expect("written"))
}

#[test]
fn h18_a_configuration_that_is_a_trap_is_refused_with_its_line() {
    let aliases = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                   d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    let places = [
        ("defaultBaseImage: scratch\ndefaultBaseImage: scratch\n", 2),
        ("# a comment\nnoSuchKey: 1\n", 2),
        ("builds:\n\t- bin: hello\n", 2),
        ("builds:\n- bin: hello\n  image:\n    <<: {user: root}\n", 4),
        ("defaultEnv:\n- A=1\n- {A: 1}\n", 3),
    ];
    for (text, line) in places {
        let said = configured(text);
        assert!(
            said.contains(&format!(".builder.yaml:{line}")),
            "{text}\n{said}"
        );
    }
    for text in [
        aliases.to_owned(),
        "[".repeat(100_000),
        format!("# {}\n", "x".repeat(2 << 20)),
    ] {
        let said = configured(text);
        assert!(said.contains(".builder.yaml"), "{said}");
    }
    let said = configured(b"defaultBaseImage: scratch\nx: \xff\n");
    assert!(said.contains(".builder.yaml:2"), "{said}");
}

#[test]
fn h18_no_is_a_text() {
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(
        hello.join(".builder.yaml"),
        "builds:\n- bin: hello\n  image: {labels: {a: no, b: 010}}\n",
    )
    .expect("written");
    let built = env
        .rbuild(&hello, "build . --push=false --base scratch")
        .succeeds();
    let (_, config) = image(&env.cache().join("build"), &built.digest());
    assert_eq!(
        (
            &config["config"]["Labels"]["a"],
            &config["config"]["Labels"]["b"]
        ),
        (&json!("no"), &json!("010"))
    );
}

#[test]
fn h19_nothing_in_a_configuration_reaches_beyond_cargos_trust() {
    for variable in [
        "RUSTC_WRAPPER=/x",
        "LD_PRELOAD=/x",
        "PATH=/x",
        "CARGO_BUILD_RUSTC=/x",
        "RUSTC=/x",
    ] {
        for text in [
            format!("defaultEnv:\n- {variable}\n"),
            format!("builds:\n- bin: hello\n  env: [{variable}]\n"),
        ] {
            let said = configured(&text);
            let name = variable.split('=').next().expect("a name");
            assert!(
                said.contains(name) && said.contains(".builder.yaml:"),
                "{text}\n{said}"
            );
        }
    }
    for flag in [
        "--config=a.toml",
        "--target=x",
        "--config",
        "--manifest-path=/x",
        "--target-dir=/x",
    ] {
        for text in [
            format!("defaultFlags: [\"{flag}\"]\n"),
            format!("builds:\n- bin: hello\n  flags: [\"{flag}\"]\n"),
        ] {
            let said = configured(&text);
            assert!(
                said.contains("--") && said.contains(".builder.yaml:"),
                "{text}\n{said}"
            );
        }
    }
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    env.rbuild(&hello, "build . --push=false -- --target=x")
        .ends_with(2)
        .says("--target");
    assert!(!hello.join("target").exists());
}

#[test]
fn h20_assets_that_lead_out_of_the_project_or_nowhere_are_refused_before_compiling() {
    const ASSETS: &str = "builds:\n- bin: hello\n  assets:\n  - {from: static, to: /srv}\n";
    let with = |prepare: &dyn Fn(&TestEnv, &Path)| {
        refused(|env, hello| {
            fs::write(hello.join(".builder.yaml"), ASSETS).expect("written");
            fs::create_dir(hello.join("static")).expect("made");
            prepare(env, &hello.join("static"));
        })
    };
    let outside = with(&|env, assets| {
        fs::write(env.path("secret"), "mine").expect("written");
        symlink(env.path("secret"), assets.join("link")).expect("linked");
    });
    assert!(outside.contains("static/link"), "{outside}");
    let circle = with(&|_, assets| symlink("..", assets.join("round")).expect("linked"));
    assert!(circle.contains("round"), "{circle}");
    let dangling = with(&|_, assets| symlink("no-such-file", assets.join("gone")).expect("linked"));
    assert!(dangling.contains("static/gone"), "{dangling}");
    let pipe = with(&|_, assets| drop(peer("mkfifo", &[assets.join("pipe")])));
    assert!(pipe.contains("static/pipe"), "{pipe}");
    let root = refused(|_, hello| {
        fs::write(
            hello.join(".builder.yaml"),
            ASSETS.replace("static", "/etc/hostname"),
        )
        .expect("written");
    });
    assert!(root.contains("/etc/hostname"), "{root}");
}

#[test]
fn h22_a_place_in_the_image_that_is_no_path_is_refused_and_an_odd_name_is_a_name() {
    for path in ["/", "/app/../../x", "../x", "\"/a\\0b\""] {
        let said = configured(format!(
            "builds:\n- bin: hello\n  image: {{path: {path}}}\n"
        ));
        assert!(said.contains("path"), "{said}");
    }
    let env = TestEnv::new();
    let hello = env.workspace("hello");
    fs::write(
        hello.join(".builder.yaml"),
        "builds:\n- bin: hello\n  image: {path: \"/app/ünï cödé name\"}\n",
    )
    .expect("written");
    let built = env
        .rbuild(&hello, "build . --push=false --base scratch")
        .succeeds();
    let store = env.cache().join("build");
    let (manifest, config) = image(&store, &built.digest());
    assert_eq!(
        config["config"]["Entrypoint"],
        json!(["/app/ünï cödé name"])
    );
    let layer = fs::File::open(blob(
        &store,
        manifest["layers"][0]["digest"].as_str().expect("a digest"),
    ))
    .expect("there");
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(layer));
    let names: Vec<String> = archive
        .entries()
        .expect("a tar")
        .map(|entry| {
            entry
                .expect("an entry")
                .path()
                .expect("a path")
                .display()
                .to_string()
        })
        .collect();
    assert_eq!(names, ["app/", "app/ünï cödé name"]);
}

#[test]
fn h22_a_binary_whose_name_is_a_path_is_never_built() {
    let said = refused(|_, hello| {
        let manifest = fs::read_to_string(hello.join("Cargo.toml")).expect("readable");
        let odd = "\n[[bin]]\nname = \"..evil\"\npath = \"src/main.rs\"\n";
        fs::write(hello.join("Cargo.toml"), format!("{manifest}{odd}")).expect("written");
    });
    assert!(said.contains("evil"), "{said}");
}
