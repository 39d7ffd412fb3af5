//! Paths and what lies there, layer over layer: links are followed inside the image, and nothing leads out of its root.
//!
//! Directories are not kept: one is there if something below it is. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Library;

/// How many links are followed on the way to one thing, as linux does it (path_resolution(7)).
const LINKS: usize = 40;
/// The longest path that a program can open (PATH_MAX); what has a longer one is passed over.
pub(super) const LONGEST: usize = 4096;

/// Something of interest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Which layer it lies in, and which member of its tar it is, both counted from 0.
    pub(super) layer: usize,
    pub(super) member: u64,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum What {
    /// A symbolic link, with what it points at.
    Link(String),
    Library(Library),
    /// A file that tells the dynamic loader where to look.
    Paths(String),
}

/// By path, without the `/` in front.
pub(super) type Nodes = BTreeMap<String, Node>;

/// Two layers deep: what lower layers left, and what the present one brings. A whiteout hides what is below it and nothing beside it.
#[derive(Debug, Default)]
pub(super) struct Growing {
    lower: Nodes,
    upper: Nodes,
}

impl Growing {
    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.upper.get(path).or_else(|| self.lower.get(path))
    }

    /// Where something with that name comes to lie: its directory's links are followed, its own is not. `None` for the root itself,
    /// and for what nobody could open.
    pub(super) fn place(&self, path: &str) -> Option<String> {
        if path.len() > LONGEST {
            return None;
        }
        let path = plain(path);
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let directory = resolve(directory, |path| self.link(path))?;
        (!name.is_empty()).then(|| join(&directory, name))
    }

    fn link(&self, path: &str) -> Option<&str> {
        link(self.get(path)?)
    }

    /// A file, a link or a device takes the place of whatever is there.
    pub(super) fn put(&mut self, path: String, node: Option<Node>) {
        remove(&mut self.lower, &path);
        remove(&mut self.upper, &path);
        if let Some(node) = node {
            self.upper.insert(path, node);
        }
    }

    /// A directory takes the place of a link or a file, and joins another directory.
    pub(super) fn put_directory(&mut self, path: &str) {
        self.lower.remove(path);
        self.upper.remove(path);
    }

    /// A whiteout: `path` is gone from the layers below.
    pub(super) fn hide(&mut self, path: &str) {
        remove(&mut self.lower, path);
    }

    /// An opaque directory: what layers below have in it is gone.
    pub(super) fn hide_below(&mut self, directory: &str) {
        remove_below(&mut self.lower, directory);
    }

    /// The present layer becomes one of the lower ones.
    pub(super) fn next_layer(&mut self) {
        self.lower.append(&mut self.upper);
    }

    pub(super) fn finish(mut self) -> Nodes {
        self.next_layer();
        self.lower
    }
}

fn link(node: &Node) -> Option<&str> {
    match &node.what {
        What::Link(target) => Some(target),
        _ => None,
    }
}

fn remove(nodes: &mut Nodes, path: &str) {
    nodes.remove(path);
    remove_below(nodes, path);
}

fn remove_below(nodes: &mut Nodes, directory: &str) {
    if directory.is_empty() {
        return nodes.clear();
    }
    let start = format!("{directory}/");
    let below = nodes.range(start.clone()..);
    let below = below.take_while(|(path, _)| path.starts_with(&start));
    let below: Vec<String> = below.map(|(path, _)| path.clone()).collect();
    for path in below {
        nodes.remove(&path);
    }
}

/// The path that `path` leads to when every link on it is followed.
pub(super) fn real(nodes: &Nodes, path: &str) -> Option<String> {
    resolve(path, |path| link(nodes.get(path)?))
}

fn resolve<'a>(path: &str, link: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut reached = String::new();
    let mut ahead: Vec<String> = parts(path);
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            reached.truncate(reached.rfind('/').unwrap_or(0));
            continue;
        }
        let next = join(&reached, &part);
        let Some(target) = link(&next) else {
            reached = next;
            continue;
        };
        links += 1;
        if links > LINKS || target.len() > LONGEST {
            return None;
        }
        if target.starts_with('/') {
            reached.clear();
        }
        ahead.extend(parts(target));
    }
    Some(reached)
}

/// The parts of a path, the last one first.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !["", "."].contains(part));
    parts.rev().map(str::to_owned).collect()
}

fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

/// A member's name without `.` and `..`, as container runtimes clean it before they follow any link.
fn plain(path: &str) -> String {
    resolve(path, |_| None).unwrap_or_default()
}
