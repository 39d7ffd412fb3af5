//! Checked tree → [`Config`]: defaults stay absent, paths become absolute, numbers are read.
//!
//! Nothing is refused here: whatever could be wrong was refused while the parser stood on it.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::Asset;
use super::Build;
use super::Config;
use super::ImageSettings;
use super::Kindnesses;
use super::Libc;
use super::RegistrySettings;
use super::node::Node;
use super::rules;
use crate::platform::Platforms;

/// `file` is the absolute path of the file; what is relative in it is taken from its directory.
pub(super) fn config(file: &Path, node: Node) -> Config {
    let directory = file.parent().unwrap_or(Path::new("/"));
    Config {
        file: Some(file.to_owned()),
        default_base_image: text(&node, "defaultBaseImage"),
        base_image_overrides: strings(&node, "baseImageOverrides"),
        default_platforms: Platforms::read(&texts(&node, "defaultPlatforms")).unwrap_or_default(),
        default_env: variables(&node, "defaultEnv"),
        default_flags: texts(&node, "defaultFlags"),
        registries: entries(&node, "registries")
            .map(|(name, entry)| (name.clone(), registry(entry, directory)))
            .collect(),
        mirrors: mirrors(&node),
        cache_base_layers: node
            .get("cache")
            .is_some_and(|cache| cache.is("baseLayers")),
        sysroots: strings(&node, "sysroots")
            .into_iter()
            .map(|(target, path)| (target, below(directory, &path)))
            .collect(),
        builds: (node.items("builds").iter())
            .map(|entry| build(entry, directory))
            .collect(),
        written: node,
    }
}

fn registry(node: &Node, directory: &Path) -> RegistrySettings {
    let file = |key| node.text(key).map(|path| below(directory, path));
    RegistrySettings {
        insecure: node.is("insecure"),
        ca: file("ca"),
        certificate: file("certificate"),
        key: file("key"),
    }
}

fn mirrors(node: &Node) -> BTreeMap<String, Vec<String>> {
    let urls = |(name, list): &(String, Node)| (name.clone(), list.texts());
    entries(node, "mirrors").map(urls).collect()
}

fn build(node: &Node, directory: &Path) -> Build {
    Build {
        id: text(node, "id"),
        dir: below(directory, node.text("dir").unwrap_or(".")),
        package: text(node, "package"),
        bin: text(node, "bin"),
        binaries: texts(node, "binaries"),
        profile: text(node, "profile"),
        features: texts(node, "features"),
        flags: node.get("flags").map(|_| texts(node, "flags")),
        env: node.get("env").map(|_| variables(node, "env")),
        libc: match node.text("libc") {
            Some("musl") => Libc::Musl,
            Some("gnu") => Libc::Gnu,
            _ => Libc::Auto,
        },
        kindnesses: node.get("kindnesses").map(kindnesses).unwrap_or_default(),
        image: node.get("image").map(image).unwrap_or_default(),
        assets: (node.items("assets").iter())
            .map(|entry| asset(entry, directory))
            .collect(),
    }
}

fn kindnesses(node: &Node) -> Kindnesses {
    let holds = |key| node.get(key).is_none() || node.is(key);
    Kindnesses {
        jemalloc_pages: holds("jemallocPages"),
        sqlx_offline: holds("sqlxOffline"),
        musl_allocator: holds("muslAllocator"),
    }
}

fn image(node: &Node) -> ImageSettings {
    ImageSettings {
        name: text(node, "name"),
        path: text(node, "path"),
        args: texts(node, "args"),
        env: strings(node, "env"),
        user: text(node, "user"),
        working_dir: text(node, "workingDir"),
        labels: strings(node, "labels"),
        annotations: strings(node, "annotations"),
        ports: (texts(node, "ports").iter())
            .filter_map(|port| rules::read_port(port))
            .collect(),
        volumes: texts(node, "volumes"),
        stop_signal: text(node, "stopSignal"),
    }
}

fn asset(node: &Node, directory: &Path) -> Asset {
    Asset {
        from: below(directory, node.text("from").unwrap_or_default()),
        to: text(node, "to").unwrap_or_default(),
        mode: node.text("mode").and_then(rules::read_mode),
        owner: (node.text("owner"))
            .and_then(rules::read_owner)
            .unwrap_or_default(),
    }
}

/// `path` from `directory`, without `.` parts; `..` is left to the file system, which knows about links.
pub(super) fn below(directory: &Path, path: &str) -> PathBuf {
    directory
        .join(path)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.text(key).map(str::to_owned)
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    node.get(key).map(Node::texts).unwrap_or_default()
}

fn variables(node: &Node, key: &str) -> Vec<(String, String)> {
    let entries = texts(node, key);
    entries
        .iter()
        .filter_map(|entry| rules::read_variable(entry))
        .collect()
}

fn entries<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a (String, Node)> {
    let entries = node.get(key).map(Node::entries);
    entries.unwrap_or_default().iter()
}

fn strings(node: &Node, key: &str) -> BTreeMap<String, String> {
    entries(node, key)
        .filter_map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned())))
        .collect()
}
