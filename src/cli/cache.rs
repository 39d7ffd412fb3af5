//! `rbuild cache ls|verify|dir`; `warm`, `export` and `import` have files of their own.

use std::path::Path;

use anyhow::Result;

use crate::cache::{self, Listed, Verified};
use crate::cli::args::CacheAction;
use crate::cli::carry;
use crate::cli::report;
use crate::cli::warm;
use crate::cli::world::World;
use crate::fault::Fault;
use crate::notes::Notes;
use crate::store::Store;

pub(crate) fn run(action: &CacheAction, world: &World) -> Result<()> {
    let root = world.cache()?;
    match action {
        CacheAction::Warm(arguments) => warm::run(arguments, world),
        CacheAction::Export(arguments) => carry::export(arguments, world),
        CacheAction::Import(arguments) => carry::import(arguments, world),
        CacheAction::Dir => report::answer(&format!("{}\n", root.display())),
        CacheAction::Ls => list(&root),
        CacheAction::Verify => verify(&root),
    }
}

/// One store of the cache, only to be looked at: nothing is mended or moved away by a question.
fn open(root: &Path, part: &str, notes: &Notes) -> Result<Store> {
    Ok(Store::source(&root.join(part), notes)?)
}

fn list(root: &Path) -> Result<()> {
    let mut listed = cache::list(&open(root, "img", &report::notes(false))?)?;
    listed.sort_by(|one, other| (&one.name, one.digest).cmp(&(&other.name, other.digest)));
    report::answer(&listed.iter().map(row).collect::<String>())
}

fn row(listed: &Listed) -> String {
    let platforms: Vec<String> = listed.platforms.iter().map(ToString::to_string).collect();
    let state = if listed.full { "full" } else { "metadata" };
    let name = listed
        .name
        .as_deref()
        .map_or_else(|| "-".to_owned(), report::escaped);
    let platforms = if platforms.is_empty() {
        "-".to_owned()
    } else {
        platforms.join(",")
    };
    format!(
        "{name}\t{}\t{platforms}\t{state}\t{} bytes\n",
        listed.digest, listed.size
    )
}

fn verify(root: &Path) -> Result<()> {
    let notes = report::notes(false);
    let mut damaged = Vec::new();
    for part in ["img", "build"] {
        let store = open(root, part, &notes)?;
        let found = cache::verify(&store)?;
        report::answer(&sentence(store.root(), &found))?;
        damaged.extend(
            found
                .damaged
                .iter()
                .map(|digest| format!("{digest} in {}", store.root().display())),
        );
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let fault = Fault::integrity(format!("{} blobs do not match their digest", damaged.len()));
    let fault = damaged.into_iter().fold(fault, Fault::because);
    Err(fault
        .hint(format!(
            "what lies in {} came from elsewhere: remove the damaged file, then pull its image again (other tools pass over a file that is there)",
            root.join("img").display()
        ))
        .hint(format!(
            "what lies in {0} rbuild makes again: `rm -r {0}` harms nothing",
            root.join("build").display()
        ))
        .into())
}

fn sentence(root: &Path, found: &Verified) -> String {
    let dangling = match found.dangling.len() {
        0 => String::new(),
        _ => format!(
            "; named but not here: {}",
            found
                .dangling
                .iter()
                .map(|name| report::escaped(name))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    format!(
        "{}: {} blobs, {} bytes, {} damaged{dangling}\n",
        root.display(),
        found.blobs,
        found.bytes,
        found.damaged.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_about_a_damaged_cache_changes_nothing_in_it() {
        let root = tempfile::tempdir().expect("a directory");
        let notes = Notes::recorded();
        let store = Store::cache(&root.path().join("img"), &notes).expect("opens");
        let found = store
            .put(crate::media::OCI_MANIFEST, b"{}")
            .expect("written");
        store.bind("x", &found).expect("bound");
        let blob = store.root().join("blobs/sha256").join(found.digest.hex());
        std::fs::remove_file(&blob).expect("removed");
        std::fs::write(&blob, b"[]").expect("written");
        std::fs::write(store.root().join("index.json"), b"torn").expect("written");
        let store = open(root.path(), "img", &notes).expect("opens");
        let listed = cache::list(&store).expect("listed");
        assert!(listed.iter().all(|one| !one.full));
        assert_eq!(
            cache::verify(&store).expect("verified").damaged,
            [found.digest]
        );
        assert_eq!(std::fs::read(&blob).expect("still there"), b"[]");
        let index = std::fs::read(store.root().join("index.json"));
        assert_eq!(index.expect("still there"), b"torn");
    }
}
