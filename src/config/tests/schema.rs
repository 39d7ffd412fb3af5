//! docs/builder.schema.json is what the table of keys says, and the reader accepts exactly that.

use std::fs;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::refusal;
use crate::config::Config;
use crate::config::keys;
use crate::config::keys::Key;
use crate::config::keys::Shape;
use crate::config::load;
use crate::config::rules::Rule;
use crate::platform::Platform;

const NAME: &str = r"^[^\s-]\S*$";
const REGISTRY: &str = r"^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$";
const NO_TEMPLATE: &str = r"^(?![\s\S]*\{\{)";

/// What a rule is in JSON Schema, found by the words that no two rules share. The example is never the default.
fn text_schema(rule: &Rule) -> Value {
    let mut schema = match rule.what {
        "an id without spaces or a leading `-`" => json!({"pattern": NAME, "examples": ["web"]}),
        "a name without spaces or a leading `-`" => json!({"pattern": NAME, "examples": ["web"]}),
        "one feature of a package" => json!({"pattern": r"^[^\s,-][^\s,]*$", "examples": ["tls"]}),
        "a directory" => json!({"minLength": 1, "examples": ["crates/web"]}),
        "a path below this file's directory" => {
            json!({"minLength": 1, "pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))", "examples": ["static/"]})
        }
        "a platform such as `linux/arm64`, or `all`" => {
            json!({"pattern": r"^(all|[A-Za-z0-9._-]+/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?)$", "examples": ["linux/arm64", "linux/amd64"]})
        }
        "`builtin:static`, `scratch`, `oci:DIR` or an image name" => {
            json!({"minLength": 1, "examples": ["scratch", "builtin:static", "oci:layout:latest", "debian:13-slim"]})
        }
        "an entry of the form `NAME=value`" => {
            json!({"pattern": format!("{NO_TEMPLATE}[^=\\s]+="), "examples": ["VERSION=1.2"]})
        }
        "one flag of cargo" => {
            json!({"pattern": format!(r"{NO_TEMPLATE}\S+$"), "not": {"pattern": denied_flags()}, "examples": ["--locked"]})
        }
        "`auto`, `musl` or `gnu`" => json!({"enum": ["auto", "musl", "gnu"], "examples": ["gnu"]}),
        "a repository name without registry, tag or digest" => {
            json!({"pattern": r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$", "examples": ["web"]})
        }
        "an absolute path of a file in the image" => {
            json!({"pattern": r"^/(?!(.*/)?\.\.(/|$)).*[^/]$", "examples": ["/usr/local/bin/web"]})
        }
        "an absolute path in the image" => {
            json!({"pattern": r"^/(?!(.*/)?\.\.(/|$))", "examples": ["/srv"]})
        }
        "an argument in text form" => json!({"examples": ["serve"]}),
        "the name of a variable" => json!({"pattern": "^[^=]+$", "examples": ["RUST_LOG"]}),
        "text" => json!({"pattern": NO_TEMPLATE, "examples": ["info"]}),
        "a label's name without spaces" => json!({"pattern": r"^\S+$", "examples": ["team"]}),
        "a user, or `user:group`" => {
            json!({"pattern": r"^[^\s:]+(:[^\s:]+)?$", "minimum": 0, "examples": ["65532:65532", 65532]})
        }
        "a port such as `8080`, `8080/tcp`, `53/udp` or `36412/sctp`" => {
            json!({"pattern": "^[0-9]+(/(tcp|udp|sctp))?$", "minimum": 1, "maximum": 65535, "examples": ["8080/tcp", 8080]})
        }
        "a signal such as `SIGTERM`, or its number" => {
            json!({"pattern": "^(SIG[A-Z0-9+-]+|[0-9]+)$", "minimum": 1, "maximum": 64, "examples": ["SIGTERM", 15]})
        }
        "octal digits in quotes, such as `\"0644\"`" => {
            json!({"pattern": "^0{0,2}[0-7]{3}$|^0?[0-7]{4}$", "examples": ["0644"]})
        }
        "`uid:gid` or `uid`, in numbers" => {
            json!({"pattern": "^[0-9]+(:[0-9]+)?$", "minimum": 0, "examples": ["1000:1000", 1000]})
        }
        other => network_schema(other),
    };
    schema["type"] = match rule.number {
        true => json!(["string", "integer"]),
        false => json!("string"),
    };
    schema
}

/// As [`text_schema`], for rules about registries and what lies on this machine.
fn network_schema(what: &str) -> Value {
    match what {
        "a registry, `host` or `host:port` in lower case" => {
            json!({"pattern": REGISTRY, "examples": ["registry.example:5000"]})
        }
        "a registry, `host` or `host:port` in lower case, or `*`" => {
            json!({"pattern": format!(r"^\*$|{REGISTRY}"), "examples": ["docker.io"]})
        }
        "a URL such as `https://mirror.example/hub`" => {
            json!({"pattern": r"^https?://[^/@?#\s]+(/[a-z0-9._/-]*)?$", "examples": ["https://mirror.example/hub"]})
        }
        "a musl target such as `aarch64-unknown-linux-musl`" => {
            let platforms = Platform::known().into_iter();
            let targets = platforms.filter_map(|name| name.parse::<Platform>().ok()?.musl_target());
            json!({"enum": targets.collect::<Vec<_>>(), "examples": ["aarch64-unknown-linux-musl"]})
        }
        "the path of a file" => json!({"minLength": 1, "examples": ["certs/corp.pem"]}),
        other => panic!("say here what {other} is in JSON Schema"),
    }
}

fn denied_flags() -> String {
    let long = "--(config|target|target-dir|manifest-path|message-format|build-plan)(=|$)";
    format!("^(--$|{long}|-[^-jpF]*[ZC])")
}

fn shape_schema(shape: Shape) -> Value {
    match shape {
        Shape::Text(rule) => text_schema(rule),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Texts(rule) => json!({"type": "array", "items": text_schema(rule)}),
        Shape::SomeTexts(rule) => {
            json!({"type": "array", "items": text_schema(rule), "minItems": 1})
        }
        Shape::Map(names, values) => {
            json!({"type": "object", "propertyNames": text_schema(names), "additionalProperties": text_schema(values)})
        }
        Shape::Lists(names, values) => {
            json!({"type": "object", "propertyNames": text_schema(names), "additionalProperties": shape_schema(Shape::SomeTexts(values))})
        }
        Shape::NamedObjects(names, keys) => {
            json!({"type": "object", "propertyNames": text_schema(names), "additionalProperties": object_schema(keys)})
        }
        Shape::Object(keys) => object_schema(keys),
        Shape::Objects(keys) => json!({"type": "array", "items": object_schema(keys)}),
    }
}

fn object_schema(keys: &[Key]) -> Value {
    let property = |key: &Key| {
        let mut schema = shape_schema(key.shape);
        schema["description"] = Value::from(key.about);
        if let Some(default) = key.default {
            schema["default"] = serde_yaml::from_str(default).expect("a default in YAML");
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let required: Vec<&str> = (keys.iter())
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema =
        json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn whole_schema() -> String {
    let mut schema = object_schema(&keys::ROOT);
    schema["$schema"] = Value::from("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = Value::from(".builder.yaml, the configuration of rbuild");
    serde_json::to_string_pretty(&schema).expect("JSON") + "\n"
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch for the person who runs the test, not for the program"
)]
fn is_updating() -> bool {
    std::env::var_os("UPDATE_SCHEMA").is_some()
}

#[test]
fn the_published_schema_is_what_the_table_of_keys_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/builder.schema.json");
    let schema = whole_schema();
    if is_updating() {
        fs::write(&file, &schema).expect("written");
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        published == schema,
        "docs/builder.schema.json is out of date: refresh it with `UPDATE_SCHEMA=1 cargo test --lib config::tests::schema`"
    );
}

/// A value that the schema gives as an example.
fn example(shape: Shape) -> Value {
    let text = |rule: &Rule| text_schema(rule)["examples"][0].clone();
    match shape {
        Shape::Text(rule) => text(rule),
        Shape::Truth => json!(true),
        Shape::Texts(rule) | Shape::SomeTexts(rule) => json!([text(rule)]),
        Shape::Map(names, values) => {
            json!({text(names).as_str().expect("text"): text(values)})
        }
        Shape::Lists(names, values) => {
            json!({text(names).as_str().expect("text"): [text(values)]})
        }
        Shape::NamedObjects(names, _) => json!({text(names).as_str().expect("text"): {}}),
        Shape::Object(keys) => json!({keys[0].name: example_of(&keys[0])}),
        Shape::Objects(keys) => {
            let needed = keys.iter().filter(|key| key.required);
            let entry: Map<String, Value> = needed
                .map(|key| (key.name.to_owned(), example_of(key)))
                .collect();
            json!([entry])
        }
    }
}

/// As [`example`], and never what holds anyhow.
fn example_of(key: &Key) -> Value {
    match key.shape {
        Shape::Truth => json!(key.default != Some("true")),
        shape => example(shape),
    }
}

/// Every object of the file: its keys, what must stand in it, and how it is wrapped to be a whole file.
type Object = (&'static [Key], Value, fn(Value) -> Value);

fn objects() -> [Object; 6] {
    let asset = json!({"from": "a", "to": "/a"});
    [
        (&keys::ROOT, json!({}), |object| object),
        (
            &keys::REGISTRY,
            json!({}),
            |object| json!({"registries": {"r.example": object}}),
        ),
        (
            &keys::BUILD,
            json!({}),
            |object| json!({"builds": [object]}),
        ),
        (
            &keys::KINDNESSES,
            json!({}),
            |object| json!({"builds": [{"kindnesses": object}]}),
        ),
        (
            &keys::IMAGE,
            json!({}),
            |object| json!({"builds": [{"image": object}]}),
        ),
        (
            &keys::ASSET,
            asset,
            |object| json!({"builds": [{"assets": [object]}]}),
        ),
    ]
}

/// The configuration without the words of the file: what the rest of rbuild sees.
fn meaning(file: &Path, document: &Value) -> Config {
    fs::write(file, document.to_string()).expect("written");
    let config = load(file).unwrap_or_else(|error| panic!("{document}: {error}"));
    Config {
        written: Default::default(),
        ..config
    }
}

#[test]
fn every_key_of_the_table_is_accepted_and_changes_what_is_read() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join(".builder.yaml");
    for (keys, needed, wrap) in objects() {
        let without = meaning(&file, &wrap(needed.clone()));
        for key in keys {
            let mut object = needed.clone();
            object[key.name] = example_of(key);
            let with = meaning(&file, &wrap(object));
            assert_ne!(with, without, "{} is accepted but not read", key.name);
        }
    }
}

#[test]
fn no_key_outside_the_table_is_accepted() {
    for (keys, needed, wrap) in objects() {
        let known = keys.iter().map(|key| format!("{}s_", key.name));
        let names = known.chain(["zzz".to_owned(), "$schema".to_owned()]);
        for name in names {
            let mut object = needed.clone();
            object[&name] = json!("x");
            let words = refusal(wrap(object).to_string());
            assert!(words.contains("unknown key"), "{name}: {words}");
        }
    }
}

#[test]
fn a_key_that_is_required_is_missed() {
    for key in keys::ASSET.iter().filter(|key| key.required) {
        let mut asset = json!({"from": "a", "to": "/a"});
        asset.as_object_mut().expect("an object").remove(key.name);
        let words = refusal(json!({"builds": [{"assets": [asset]}]}).to_string());
        assert!(
            words.contains(&format!("the key `{}` is missing", key.name)),
            "{words}"
        );
    }
}

#[test]
fn every_key_is_described_in_lower_case_without_a_full_stop() {
    for (keys, _, _) in objects() {
        for key in keys {
            let start = key.about.chars().next();
            assert!(
                start.is_some_and(|first| !first.is_uppercase()),
                "{}",
                key.name
            );
            assert!(!key.about.ends_with('.'), "{}", key.name);
        }
    }
}
