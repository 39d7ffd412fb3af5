//! What an image says, for both families of bases; every test ends with the judge.

use serde_json::json;

use super::*;
use crate::base::name::Name;
use crate::base::{self, Base};
use crate::layer::{self, Entry};
use crate::testing::{self, BaseSpec, TestStore, platform};

fn resolve(test: &TestStore, name: &str, platforms: &[&str]) -> Base {
    let name = Name::parse(name, test.directory.path()).expect("a name");
    let platforms: Vec<Platform> = platforms.iter().map(|name| platform(name)).collect();
    let shelf = testing::shelf(test);
    base::resolve(&name, base::Choice::These(&platforms), shelf).expect("resolved")
}

fn base_of(test: &TestStore, spec: &BaseSpec) -> BaseImage {
    let digest = testing::image(&test.store, spec).digest;
    resolve(test, &format!("r.example/base@{digest}"), &["linux/amd64"])
        .images
        .remove(0)
}

fn told(test: &TestStore) -> Vec<Told> {
    let entry = Entry::bytes("/app/hello", b"binary".to_vec())
        .expect("an entry")
        .with_mode(0o755);
    let layer = layer::write(&test.store, &[entry]).expect("written");
    vec![Told {
        layer,
        comment: "the binary, at /app/hello".into(),
    }]
}

fn settings() -> Settings {
    Settings {
        path: "/app/hello".into(),
        ..Settings::default()
    }
}

fn assembled(test: &TestStore, base: &BaseImage, settings: &Settings) -> (Image, Value, Value) {
    let image = assemble(&test.store, base, &told(test), settings).expect("assembled");
    testing::validate(&test.store, &image.manifest);
    let (manifest, config) = (
        testing::json(&test.store, &image.manifest),
        testing::json(&test.store, &image.config),
    );
    (image, manifest, config)
}

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_base_stays_as_it_was_and_the_binary_is_the_entrypoint() {
    let test = testing::store();
    let run = json!({"Cmd": ["sh"], "Entrypoint": ["/init"], "Healthcheck": {"Test": ["NONE"], "StartInterval": 5}, "OnBuild": ["x"],
        "Shell": ["/bin/sh"], "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGQUIT", "Custom": 1});
    let base = base_of(
        &test,
        &BaseSpec {
            run,
            ..BaseSpec::default()
        },
    );
    let (_, _, config) = assembled(&test, &base, &settings());
    let run = &config["config"];
    assert_eq!(run["Entrypoint"], json!(["/app/hello"]));
    assert_eq!(run.get("Cmd"), None);
    assert_eq!(run["Env"], json!(["PATH=/usr/bin:/bin:/app"]));
    let kept = [
        ("User", json!("nobody")),
        ("Labels", json!({"of": "base"})),
        ("OnBuild", json!(["x"])),
        ("Shell", json!(["/bin/sh"])),
        ("Volumes", json!({"/data": {}})),
        ("ExposedPorts", json!({"80/tcp": {}})),
        ("StopSignal", json!("SIGQUIT")),
        ("Custom", json!(1)),
        ("Healthcheck", json!({"Test": ["NONE"], "StartInterval": 5})),
    ];
    for (key, value) in kept {
        assert_eq!(run[key], value, "{key}");
    }
    assert_eq!(config["x.vendor"], json!({"kept": true}));
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
}

#[test]
fn settings_are_added_to_what_the_base_says() {
    let test = testing::store();
    let base = base_of(
        &test,
        &BaseSpec {
            run: json!({"Env": ["A=base", "B=kept", "odd"], "Labels": null}),
            ..BaseSpec::default()
        },
    );
    let settings = Settings {
        args: vec!["serve".into()],
        env: pairs(&[("A", "ours"), ("C", "new=1")]),
        user: Some("65532:65532".into()),
        working_dir: Some("/data".into()),
        labels: pairs(&[("k", "v")]),
        ports: vec!["8080/tcp".into()],
        volumes: vec!["/data".into()],
        stop_signal: Some("SIGINT".into()),
        created: 1_700_000_000,
        ..settings()
    };
    let (_, _, config) = assembled(&test, &base, &settings);
    let run = &config["config"];
    assert_eq!(
        run["Env"],
        json!(["A=ours", "B=kept", "odd", "PATH=/app", "C=new=1"])
    );
    assert_eq!(run["Cmd"], json!(["serve"]));
    for (key, value) in [
        ("User", "65532:65532"),
        ("WorkingDir", "/data"),
        ("StopSignal", "SIGINT"),
    ] {
        assert_eq!(run[key], value);
    }
    assert_eq!(
        (&run["Labels"], &run["ExposedPorts"], &run["Volumes"]),
        (
            &json!({"k": "v"}),
            &json!({"8080/tcp": {}}),
            &json!({"/data": {}})
        )
    );
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    let history = config["history"].as_array().expect("a list");
    assert_eq!(
        history.last(),
        Some(
            &json!({"created": "2023-11-14T22:13:20Z", "created_by": "rbuild build", "comment": "the binary, at /app/hello"})
        )
    );
}

#[test]
fn a_variable_is_never_there_twice() {
    let test = testing::store();
    let base = base_of(
        &test,
        &BaseSpec {
            run: json!({"Env": ["KO_DATA_PATH=/old", "PATH=/app:/bin"]}),
            ..BaseSpec::default()
        },
    );
    let settings = Settings {
        env: pairs(&[("KO_DATA_PATH", "/var/run/ko")]),
        ..settings()
    };
    let (_, _, config) = assembled(&test, &base, &settings);
    assert_eq!(
        config["config"]["Env"],
        json!(["KO_DATA_PATH=/var/run/ko", "PATH=/app:/bin"])
    );
}

#[test]
fn an_oci_manifest_tells_where_it_came_from_and_inherits_annotations() {
    let test = testing::store();
    let mut base = base_of(&test, &BaseSpec::default());
    base.name = Some("r.example/base:1".into());
    base.annotations.insert("of.base".into(), json!("kept"));
    base.annotations.insert("mine".into(), json!("base's"));
    let settings = Settings {
        annotations: pairs(&[("mine", "ours")]),
        ..settings()
    };
    let (_, manifest, _) = assembled(&test, &base, &settings);
    let digest = base.digest.expect("pinned").to_string();
    assert_eq!(
        manifest["annotations"],
        json!({"of.base": "kept", "mine": "ours", "org.opencontainers.image.base.name": "r.example/base:1", "org.opencontainers.image.base.digest": digest})
    );
}

#[test]
fn a_docker_base_gives_a_docker_image_without_annotations() {
    let test = testing::store();
    let base = base_of(
        &test,
        &BaseSpec {
            family: Family::Docker,
            ..BaseSpec::default()
        },
    );
    let (image, manifest, _) = assembled(
        &test,
        &base,
        &Settings {
            annotations: pairs(&[("a", "b")]),
            ..settings()
        },
    );
    assert_eq!(image.manifest.media_type, Family::Docker.manifest());
    assert_eq!(manifest.get("annotations"), None);
    let types: Vec<&str> = manifest["layers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|layer| layer["mediaType"].as_str())
        .collect();
    assert_eq!(types, [Family::Docker.layer(); 3]);
}

#[test]
fn foreign_layers_of_the_base_keep_every_field() {
    let test = testing::store();
    let mut base = base_of(&test, &BaseSpec::default());
    base.layers[0] = base.layers[0]
        .clone()
        .with("urls", json!(["https://foreign.example/layer"]));
    let image = assemble(&test.store, &base, &told(&test), &settings()).expect("assembled");
    let manifest = testing::json(&test.store, &image.manifest);
    assert_eq!(
        manifest["layers"][0]["urls"],
        json!(["https://foreign.example/layer"])
    );
}

#[test]
fn scratch_gives_an_image_of_one_layer_and_builtin_of_four() {
    let test = testing::store();
    for (name, layers) in [("scratch", 1), ("builtin:static", 4)] {
        let base = resolve(&test, name, &["linux/amd64"]).images.remove(0);
        let image = assemble(&test.store, &base, &told(&test), &settings()).expect("assembled");
        testing::validate(&test.store, &image.manifest);
        let manifest = testing::json(&test.store, &image.manifest);
        assert_eq!(
            manifest["layers"].as_array().map(Vec::len),
            Some(layers),
            "{name}"
        );
        assert_eq!(
            manifest.get("annotations"),
            None,
            "{name} has no base to tell of"
        );
    }
}

#[test]
fn h14_what_is_odd_in_a_config_is_kept_verbatim() {
    let test = testing::store();
    let run = json!({"Env": ["no-equals-sign", "=x"], "User": "a\nb", "Labels": {"long": "x".repeat(5_000_000)}});
    let base = base_of(
        &test,
        &BaseSpec {
            run: run.clone(),
            ..BaseSpec::default()
        },
    );
    let (_, _, config) = assembled(&test, &base, &settings());
    assert_eq!(
        config["config"]["Env"],
        json!(["no-equals-sign", "=x", "PATH=/app"])
    );
    assert_eq!(
        (&config["config"]["User"], &config["config"]["Labels"]),
        (&run["User"], &run["Labels"])
    );
}

#[test]
fn one_image_is_itself_and_several_are_an_index_in_the_order_asked_for() {
    let test = testing::store();
    let digest = testing::two_platforms(&test.store, true).digest;
    let base = resolve(
        &test,
        &format!("r.example/base@{digest}"),
        &["linux/arm64", "linux/amd64"],
    );
    let images: Vec<Image> = base
        .images
        .iter()
        .map(|base| assemble(&test.store, base, &told(&test), &settings()).expect("made"))
        .collect();
    let annotations = pairs(&[("k", "v")]);
    let settings = IndexSettings {
        annotations: Some(&annotations),
        base: base.index,
        base_name: base.published_name(),
    };
    assert_eq!(
        index(&test.store, &images[..1], &settings).expect("one"),
        images[0].manifest
    );
    let root = index(&test.store, &images, &settings).expect("two");
    testing::validate(&test.store, &root);
    let document = testing::json(&test.store, &root);
    let platforms: Vec<&Value> = document["manifests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["platform"])
        .collect();
    assert_eq!(
        platforms,
        [
            &json!({"os": "linux", "architecture": "arm64"}),
            &json!({"os": "linux", "architecture": "amd64"})
        ]
    );
    assert_eq!(
        document["annotations"]["org.opencontainers.image.base.digest"],
        digest.to_string()
    );
    assert_eq!(document["annotations"]["k"], "v");
}

#[test]
fn an_index_of_docker_images_is_a_docker_list() {
    let test = testing::store();
    let child = |name: &str| {
        let spec = BaseSpec {
            family: Family::Docker,
            platform: Some(platform(name)),
            ..BaseSpec::default()
        };
        (
            Some(platform(name).to_value()),
            testing::image(&test.store, &spec),
        )
    };
    let list = testing::index(
        &test.store,
        Family::Docker,
        &[child("linux/amd64"), child("linux/arm64")],
    );
    let base = resolve(
        &test,
        &format!("r.example/base@{}", list.digest),
        &["linux/amd64", "linux/arm64"],
    );
    let images: Vec<Image> = base
        .images
        .iter()
        .map(|base| assemble(&test.store, base, &told(&test), &settings()).expect("made"))
        .collect();
    let root = index(
        &test.store,
        &images,
        &IndexSettings {
            base: base.index,
            ..IndexSettings::default()
        },
    )
    .expect("made");
    testing::validate(&test.store, &root);
    assert_eq!(root.media_type, Family::Docker.index());
    assert_eq!(testing::json(&test.store, &root).get("annotations"), None);
}

#[test]
fn v04_the_same_input_gives_the_same_bytes_in_another_store() {
    let made = || {
        let test = testing::store();
        let base = base_of(&test, &BaseSpec::default());
        let labels = pairs(&[("z", "1"), ("a", "2"), ("m", "3")]);
        assembled(
            &test,
            &base,
            &Settings {
                labels,
                ..settings()
            },
        )
        .0
        .manifest
        .digest
    };
    assert_eq!(made(), made());
}

#[test]
fn a_manifest_that_no_registry_would_take_is_an_error_here() {
    let test = testing::store();
    let base = base_of(&test, &BaseSpec::default());
    let huge = Settings {
        annotations: pairs(&[("k", &"x".repeat(5 << 20))]),
        ..settings()
    };
    let error = assemble(&test.store, &base, &told(&test), &huge).expect_err("too large");
    assert_eq!(error.downcast::<Fault>().expect("a fault").kind, Kind::Disk);
}
