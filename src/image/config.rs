//! The image config: the base's, edited as a JSON value.
//!
//! Only what rbuild decides is touched. Everything else, known or not, stays as it was found.

use serde_json::{Map, Value, json};

use crate::base::BaseImage;
use crate::image::{Settings, Told};
use crate::timestamp;

/// The config of the image that puts `layers` on `base`.
pub(crate) fn edited(base: &BaseImage, layers: &[Told], settings: &Settings) -> Value {
    let mut config = base.config.clone();
    let created = timestamp::rfc3339(settings.created);
    for (key, value) in [
        ("os", &base.platform.os),
        ("architecture", &base.platform.architecture),
    ] {
        fill(&mut config, key, value);
    }
    config["created"] = Value::from(created.as_str());
    *object(&mut config, "config") = run(&config, settings);
    append_rootfs(&mut config, layers);
    append_history(&mut config, layers, &created);
    config
}

/// Sets a required text field that the base lacks.
fn fill(config: &mut Value, key: &str, value: &str) {
    if config[key].as_str().is_none_or(str::is_empty) {
        config[key] = Value::from(value);
    }
}

/// The field `key`, made an object if it is none (`null` in configs written by Go).
fn object<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !value[key].is_object() {
        value[key] = Value::Object(Map::new());
    }
    value[key].as_object_mut().expect("just made")
}

/// The `config` object: how to run the image.
fn run(config: &Value, settings: &Settings) -> Map<String, Value> {
    let run = config.get("config").and_then(Value::as_object);
    let mut run = run.cloned().unwrap_or_default();
    run.remove("Cmd");
    let environment = environment(run.get("Env"), settings);
    let args = Some(&settings.args).filter(|args| !args.is_empty());
    let set = [
        ("Entrypoint", Some(json!([settings.path]))),
        ("Cmd", args.map(|args| json!(args))),
        ("Env", Some(Value::from(environment))),
        ("User", settings.user.clone().map(Value::from)),
        ("WorkingDir", settings.working_dir.clone().map(Value::from)),
        ("StopSignal", settings.stop_signal.clone().map(Value::from)),
    ];
    let set = set
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    run.extend(set);
    let labels = settings.labels.iter();
    let labels = labels.map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    extend(&mut run, "Labels", labels.collect());
    extend(&mut run, "ExposedPorts", keys(&settings.ports));
    extend(&mut run, "Volumes", keys(&settings.volumes));
    run
}

/// A set as image configs write one: keys with empty objects.
fn keys(names: &[String]) -> Map<String, Value> {
    names.iter().map(|name| (name.clone(), json!({}))).collect()
}

/// Adds `more` to the object under `key`; leaves the key alone if there is nothing to add.
fn extend(run: &mut Map<String, Value>, key: &str, more: Map<String, Value>) {
    if more.is_empty() {
        return;
    }
    let mut all = run
        .get(key)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    all.extend(more);
    run.insert(key.to_owned(), Value::Object(all));
}

/// The base's variables as they are, `PATH` with the binary's directory, then the settings', each replacing its name.
fn environment(base: Option<&Value>, settings: &Settings) -> Vec<String> {
    let texts = base
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut all: Vec<String> = texts.map(str::to_owned).collect();
    let path = all
        .iter()
        .find_map(|text| text.strip_prefix("PATH="))
        .unwrap_or_default();
    let path = extended_path(path, &settings.path);
    set(&mut all, "PATH", &path);
    settings
        .env
        .iter()
        .for_each(|(name, value)| set(&mut all, name, value));
    all
}

fn extended_path(path: &str, binary: &str) -> String {
    let directory =
        binary.rsplit_once('/').map_or(
            "/",
            |(directory, _)| if directory.is_empty() { "/" } else { directory },
        );
    if path.split(':').any(|part| part == directory) {
        return path.to_owned();
    }
    if path.is_empty() {
        directory.to_owned()
    } else {
        format!("{path}:{directory}")
    }
}

fn set(all: &mut Vec<String>, name: &str, value: &str) {
    let text = format!("{name}={value}");
    let of_name = |entry: &&mut String| entry.split('=').next() == Some(name);
    match all.iter_mut().find(of_name) {
        Some(entry) => *entry = text,
        None => all.push(text),
    }
}

fn append_rootfs(config: &mut Value, layers: &[Told]) {
    let ids = layers
        .iter()
        .map(|told| Value::from(told.layer.diff_id.to_string()));
    let rootfs = object(config, "rootfs");
    rootfs.insert("type".to_owned(), Value::from("layers"));
    let mut all = rootfs
        .get("diff_ids")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    all.extend(ids);
    rootfs.insert("diff_ids".to_owned(), Value::Array(all));
}

fn append_history(config: &mut Value, layers: &[Told], created: &str) {
    let mut all = config
        .get("history")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    all.extend(layers.iter().map(
        |told| json!({"created": created, "created_by": "rbuild build", "comment": told.comment}),
    ));
    config["history"] = Value::Array(all);
}
