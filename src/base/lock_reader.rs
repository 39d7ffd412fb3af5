//! builder.lock as a file: read strictly, bounded, and never half of it believed.

use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::base::lock::{Lock, LockedBase, LockedImage, Source, VERSION};
use crate::digest::Digest;
use crate::fault::Fault;
use crate::json;
use crate::reference::Reference;

/// The largest file that is read, in bytes: some thousand bases.
const LARGEST: u64 = 4 << 20;

/// What is wrong, as the end of a sentence.
type Wrong = String;

/// See [`Lock::read`].
pub(super) fn file(path: &Path) -> Result<Option<Lock>, Fault> {
    match read_bounded(path) {
        Ok(bytes) => lock(&bytes).map(Some).map_err(|why| {
            let hint = if is_of_another(&bytes) {
                OTHER
            } else {
                DAMAGED
            };
            bad(path, &why).hint(hint)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(bad(path, &error.to_string()).hint(DAMAGED)),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it is larger than {LARGEST} bytes"
        )));
    }
    Ok(bytes)
}

const DAMAGED: &str =
    "take it from version control again, or remove it and write it anew: `rbuild base pin`";
const OTHER: &str =
    "use the rbuild that wrote it, or remove it and write it anew with this one: `rbuild base pin`";

fn bad(path: &Path, why: &str) -> Fault {
    Fault::refused(format!("cannot use {}", path.display())).because(why)
}

/// Whether it is of a version that this rbuild does not read.
fn is_of_another(bytes: &[u8]) -> bool {
    let version = json::parse(bytes).ok();
    let version = version.and_then(|value| value.get("version")?.as_u64());
    version.is_some_and(|version| version != VERSION)
}

/// Reads the bytes of a lock.
pub(super) fn lock(bytes: &[u8]) -> Result<Lock, Wrong> {
    let value = json::parse(bytes).map_err(|error| format!("it is not strict JSON: {error}"))?;
    let top = Object::of(&value, "the file")?;
    let version = top.value("version")?;
    if version.as_u64() != Some(VERSION) {
        return Err(format!(
            "its version is {version}, and this rbuild knows version {VERSION} alone"
        ));
    }
    top.holds_only(&["version", "configuration", "bases"])?;
    let bases = top.list("bases")?.iter().map(base);
    let bases: Vec<LockedBase> = bases.collect::<Result<_, _>>()?;
    ascends(bases.iter().map(|base| base.name.to_string()), "bases")?;
    Ok(Lock {
        configuration: top.digest("configuration")?,
        bases,
    })
}

fn base(value: &Value) -> Result<LockedBase, Wrong> {
    let object = Object::of(value, "an entry of `bases`")?;
    object.holds_only(&[
        "name",
        "digest",
        "index",
        "mediaType",
        "source",
        "time",
        "images",
    ])?;
    let digest = object.digest("digest")?;
    let is_index = object.0.contains_key("index");
    if is_index && object.digest("index")? != digest {
        return Err("an entry has an `index` that is not its `digest`".to_owned());
    }
    let images = object.list("images")?.iter().map(image);
    let images: Vec<LockedImage> = images.collect::<Result<_, _>>()?;
    ascends(
        images.iter().map(|image| image.platform.to_string()),
        "images",
    )?;
    let name: Reference = object.parsed("name")?;
    if name.to_string() != object.text("name")? {
        return Err(format!("a name is not written in full: `{name}`"));
    }
    let word = object.text("source")?;
    let source = Source::ALL.into_iter().find(|one| one.word() == word);
    Ok(LockedBase {
        name,
        digest,
        is_index,
        media_type: object.text("mediaType")?.to_owned(),
        source: source.ok_or("a `source` is neither name nor registry nor cache")?,
        time: object.text("time")?.to_owned(),
        images,
    })
}

fn image(value: &Value) -> Result<LockedImage, Wrong> {
    let object = Object::of(value, "an entry of `images`")?;
    object.holds_only(&["platform", "manifest", "mediaType", "config"])?;
    Ok(LockedImage {
        platform: object.parsed("platform")?,
        manifest: object.digest("manifest")?,
        media_type: object.text("mediaType")?.to_owned(),
        config: object.digest("config")?,
    })
}

/// Entries in one order, none twice: one lock has one text.
fn ascends(names: impl Iterator<Item = String>, what: &str) -> Result<(), Wrong> {
    let names: Vec<String> = names.collect();
    match names.windows(2).all(|pair| pair[0] < pair[1]) {
        true => Ok(()),
        false => Err(format!(
            "its `{what}` are not sorted, or one is there twice"
        )),
    }
}

/// A JSON object, read key by key.
struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    fn of(value: &'a Value, what: &str) -> Result<Object<'a>, Wrong> {
        let object = value.as_object();
        object
            .map(Object)
            .ok_or_else(|| format!("{what} is not a JSON object"))
    }

    fn holds_only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("it holds an unknown key `{key}`")),
            None => Ok(()),
        }
    }

    fn value(&self, key: &str) -> Result<&'a Value, Wrong> {
        self.0.get(key).ok_or_else(|| format!("`{key}` is missing"))
    }

    fn text(&self, key: &str) -> Result<&'a str, Wrong> {
        let text = self.value(key)?.as_str();
        text.ok_or_else(|| format!("`{key}` is not a text"))
    }

    fn list(&self, key: &str) -> Result<&'a Vec<Value>, Wrong> {
        let list = self.value(key)?.as_array();
        list.ok_or_else(|| format!("`{key}` is not a list"))
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, key: &str) -> Result<T, Wrong> {
        let parsed = self.text(key)?.parse();
        parsed.map_err(|error| format!("`{key}` cannot be read: {error}"))
    }

    fn digest(&self, key: &str) -> Result<Digest, Wrong> {
        self.parsed(key)
    }
}
