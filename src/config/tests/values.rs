//! What the file's words mean to the rest of rbuild.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::read;
use super::refusal;
use crate::config::Asset;
use crate::config::Build;
use crate::config::Config;
use crate::config::ImageSettings;
use crate::config::Kindnesses;
use crate::config::Libc;
use crate::config::RegistrySettings;
use crate::config::load;

fn build(text: &str) -> Build {
    let mut config = read(format!("builds: [{text}]")).unwrap_or_else(|words| panic!("{words}"));
    config.builds.remove(0)
}

fn image(text: &str) -> ImageSettings {
    build(&format!("{{image: {text}}}")).image
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

#[test]
fn an_empty_file_means_what_no_file_means() {
    for text in ["", "# nothing\n", "---\n", "{}", "~"] {
        let config = read(text).expect(text);
        let nothing = Config {
            file: config.file.clone(),
            ..Config::default()
        };
        assert!(config.file.is_some());
        assert_eq!(config, nothing, "{text}");
    }
}

#[test]
fn every_key_arrives_where_it_belongs() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join(".builder.yaml");
    let everything =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/config/accepted-everything.yaml");
    fs::copy(everything, &file).expect("copied");
    let config = load(&file).expect("valid");
    assert_eq!(config.default_base_image.as_deref(), Some("builtin:static"));
    assert_eq!(
        config.base_image_overrides["crates/api"],
        "oci:bases/debian:13-slim"
    );
    assert_eq!(config.base_image_overrides["web/migrate"], "scratch");
    let platforms = ["linux/amd64", "linux/arm64"].map(|name| name.parse().expect(name));
    assert_eq!(config.default_platforms.named(), platforms);
    assert_eq!(config.default_env, [("FOO".to_owned(), "bar".to_owned())]);
    assert_eq!(config.default_flags, ["--locked"]);
    assert_eq!(config.registries, everything_registries(directory.path()));
    let hub = ["https://mirror.example/hub", "https://other.example:8443"];
    assert_eq!(config.mirrors["docker.io"], hub);
    assert_eq!(config.mirrors["*"], ["http://localhost:5000/cache/"]);
    let musl = &config.sysroots["aarch64-unknown-linux-musl"];
    assert_eq!(*musl, directory.path().join("sysroots/arm64"));
    assert_eq!(config.builds, [everything_build(directory.path())]);
    assert_eq!(config.file, Some(file));
}

fn everything_registries(directory: &Path) -> BTreeMap<String, RegistrySettings> {
    let corp = RegistrySettings {
        insecure: true,
        ca: Some(directory.join("certs/corp.pem")),
        ..RegistrySettings::default()
    };
    let local = RegistrySettings {
        certificate: Some(directory.join("me.pem")),
        key: Some("/etc/me.key".into()),
        ..RegistrySettings::default()
    };
    [
        ("registry.corp:5000", corp),
        ("[::1]:5000", local),
        ("docker.io", RegistrySettings::default()),
    ]
    .map(|(name, settings)| (name.to_owned(), settings))
    .into()
}

fn everything_build(directory: &Path) -> Build {
    let text = |text: &str| Some(text.to_owned());
    Build {
        id: text("web"),
        dir: directory.to_owned(),
        package: text("web"),
        bin: text("web"),
        binaries: vec!["migrate".to_owned()],
        profile: text("release"),
        features: ["tls", "dep/extra", "weak?/more"]
            .map(str::to_owned)
            .to_vec(),
        flags: Some(Vec::new()),
        env: Some(vec![
            ("VERSION".to_owned(), "1.2=3".to_owned()),
            ("EMPTY".to_owned(), String::new()),
        ]),
        libc: Libc::Auto,
        kindnesses: Kindnesses {
            sqlx_offline: false,
            ..Kindnesses::default()
        },
        image: ImageSettings {
            name: text("web"),
            path: text("/usr/local/bin/web"),
            args: vec!["serve".to_owned(), String::new()],
            env: owned(&[("RUST_LOG", "info")]),
            user: text("65532:65532"),
            working_dir: text("/"),
            labels: owned(&[("team", "platform")]),
            annotations: owned(&[("example.org/owner", "web")]),
            ports: ["8080/tcp", "53/udp", "36412/sctp", "9090/tcp"]
                .map(str::to_owned)
                .to_vec(),
            volumes: vec!["/data".to_owned()],
            stop_signal: text("SIGTERM"),
        },
        assets: vec![
            Asset {
                from: directory.join("static"),
                to: "/srv/static".to_owned(),
                mode: Some(0o644),
                owner: (0, 0),
            },
            Asset {
                from: directory.join("LICENSE"),
                to: "/LICENSE".to_owned(),
                ..Asset::default()
            },
        ],
    }
}

#[test]
fn a_list_that_is_absent_is_not_an_empty_list() {
    let absent = build("{id: a}");
    assert_eq!((absent.flags, absent.env), (None, None));
    let empty = build("{flags: [], env: []}");
    assert_eq!((empty.flags, empty.env), (Some(vec![]), Some(vec![])));
}

#[test]
fn directories_are_taken_from_the_place_of_the_file() {
    let config = read("builds: [{}, {dir: ./a/./b/}, {dir: ../c}, {dir: /abs}]").expect("valid");
    let file = config.file.expect("a file");
    let root = file.parent().expect("a directory");
    let directories: Vec<_> = config.builds.iter().map(|build| &build.dir).collect();
    assert_eq!(
        directories,
        [
            root,
            &root.join("a/b"),
            &root.join("../c"),
            Path::new("/abs")
        ]
    );
}

#[test]
fn bases_are_kept_as_they_are_written() {
    for typed in ["oci:layout", "oci:./layout/:latest", "scratch", "debian:13"] {
        let config = read(format!("defaultBaseImage: \"{typed}\"")).expect(typed);
        assert_eq!(config.default_base_image.as_deref(), Some(typed));
    }
}

#[test]
fn modes_are_octal_with_or_without_a_leading_zero() {
    for (typed, mode) in [
        ("0644", 0o644),
        ("\"644\"", 0o644),
        ("04755", 0o4755),
        ("\"1777\"", 0o1777),
    ] {
        let build = build(&format!("{{assets: [{{from: a, to: /a, mode: {typed}}}]}}"));
        assert_eq!(build.assets[0].mode, Some(mode), "{typed}");
    }
    for typed in [
        "\"+644\"",
        "\"44\"",
        "\"000644\"",
        "\"\"",
        "rw",
        "0x1a4",
        "420",
    ] {
        let text = format!("builds: [{{assets: [{{from: a, to: /a, mode: {typed}}}]}}]");
        assert!(refusal(text).contains("octal digits in quotes"), "{typed}");
    }
}

#[test]
fn a_lone_uid_is_its_own_group() {
    for (typed, owner) in [
        ("1000", (1000, 1000)),
        ("\"1:2\"", (1, 2)),
        ("0:0", (0, 0)),
        ("4294967294", (4_294_967_294, 4_294_967_294)),
    ] {
        let build = build(&format!(
            "{{assets: [{{from: a, to: /a, owner: {typed}}}]}}"
        ));
        assert_eq!(build.assets[0].owner, owner, "{typed}");
    }
    for typed in [
        "4294967295",
        "\"1:\"",
        "\":1\"",
        "\"+1\"",
        "\"1:2:3\"",
        "\"\"",
        "true",
    ] {
        assert!(
            read(format!(
                "builds: [{{assets: [{{from: a, to: /a, owner: {typed}}}]}}]"
            ))
            .is_err(),
            "{typed}"
        );
    }
}

#[test]
fn ports_get_their_protocol() {
    let ports = image("{ports: [80, \"443/tcp\", 53/udp, \"65535\"]}").ports;
    assert_eq!(ports, ["80/tcp", "443/tcp", "53/udp", "65535/tcp"]);
    for bad in [
        "-1",
        "\"+80\"",
        "80/TCP",
        "80/tcp/udp",
        "\"80:80\"",
        "true",
        "\"\"",
        "8e1",
        "[80]",
    ] {
        assert!(
            read(format!("builds: [{{image: {{ports: [{bad}]}}}}]")).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn users_and_signals_are_taken_as_text() {
    let settings = image("{user: 65532, stopSignal: 15}");
    assert_eq!(settings.user.as_deref(), Some("65532"));
    assert_eq!(settings.stop_signal.as_deref(), Some("15"));
    assert_eq!(
        image("{user: nonroot:nonroot}").user.as_deref(),
        Some("nonroot:nonroot")
    );
    assert_eq!(
        image("{stopSignal: SIGRTMIN+3}").stop_signal.as_deref(),
        Some("SIGRTMIN+3")
    );
    for bad in [
        "{user: true}",
        "{user: \"a b\"}",
        "{user: \"\"}",
        "{user: \"a:b:c\"}",
        "{stopSignal: SIG}",
        "{stopSignal: SIGterm}",
        "{stopSignal: 0}",
        "{stopSignal: false}",
    ] {
        assert!(
            read(format!("builds: [{{image: {bad}}}]")).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn names_of_images_are_repositories() {
    for good in ["web", "team/web", "a-b_c.d"] {
        assert_eq!(
            image(&format!("{{name: {good}}}")).name.as_deref(),
            Some(good)
        );
    }
    for bad in [
        "Web",
        "web:v1",
        "web@sha256:ab",
        "/web",
        "web/",
        "a//b",
        "a b",
        "\"\"",
        "-a",
    ] {
        assert!(
            read(format!("builds: [{{image: {{name: {bad}}}}}]")).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn platforms_are_normalised() {
    let config = read("defaultPlatforms: [linux/x86_64, linux/arm64/v8]").expect("valid");
    let names: Vec<String> = (config.default_platforms.named().iter())
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"]);
}

#[test]
fn anything_may_stand_in_an_argument_but_a_nul() {
    assert_eq!(
        image("{args: [\"{{x}}\", \"\", \"a\\nb\"]}").args,
        ["{{x}}", "", "a\nb"]
    );
    assert!(refusal("builds: [{image: {args: [\"a\\0\"]}}]").contains("NUL"));
}

#[test]
fn a_password_in_a_base_image_is_never_repeated() {
    for key in ["defaultBaseImage: ", "baseImageOverrides: {web: "] {
        let end = if key.ends_with("web: ") { "}" } else { "" };
        let words = refusal(format!("{key}\"user:hunter2@registry.example/x\"{end}"));
        assert!(
            !words.contains("hunter2") && !words.contains("user:"),
            "{words}"
        );
    }
}
