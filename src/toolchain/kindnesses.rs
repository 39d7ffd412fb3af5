//! Small things for known crates that people find out about in production.
//!
//! Each is told by the names in Cargo.lock alone, so that a program without them costs nothing, is said in one line, and is off by a key of a
//! build. What the user has set is never touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Link;
use super::Toolchain;
use super::link::Site;
use super::needs;

/// Crates that compile jemalloc.
const JEMALLOC: [&str; 2] = ["tikv-jemalloc-sys", "jemalloc-sys"];
/// The base 2 logarithm of the largest page that it is to work with; the name of the target may stand before it.
const LG_PAGE: &str = "JEMALLOC_SYS_WITH_LG_PAGE";
/// Crates by which a program is likely to allocate from several threads at once.
const THREADS: [&str; 5] = [
    "rayon-core",
    "crossbeam-deque",
    "async-executor",
    "actix-rt",
    "threadpool",
];
/// A tokio that waits for the network is hardly ever told to stay on one thread; its features do not stand in the lock.
const TOKIO: [&str; 2] = ["tokio", "mio"];
const ALLOCATORS: [&str; 9] = [
    "mimalloc",
    "tikv-jemallocator",
    "jemallocator",
    "jemallocator-global",
    "snmalloc-rs",
    "rpmalloc",
    "tcmalloc",
    "tcmalloc-better",
    "bump_alloc",
];

/// Variables to set, and the sentence about each kindness.
#[derive(Debug, Default)]
pub(super) struct Kindness {
    pub(super) variables: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
}

/// What is done for the program at `site`, linked for `link`.
pub(super) fn of(toolchain: &Toolchain, link: &Link, site: Site<'_>) -> Kindness {
    let lock = fs::read_to_string(site.root.join("Cargo.lock")).unwrap_or_default();
    let names: BTreeSet<&str> = needs::locked(&lock).collect();
    let mut kindness = Kindness::default();
    jemalloc_pages(&mut kindness, toolchain, (link, site), &names);
    sqlx_offline(&mut kindness, toolchain, site, &names);
    musl_allocator(&mut kindness, link, site, &names);
    kindness
}

/// jemalloc aborts where pages are larger than those of the machine that compiled it; arm64 kernels have pages of 4, 16 or 64 KiB.
fn jemalloc_pages(
    kindness: &mut Kindness,
    toolchain: &Toolchain,
    (link, site): (&Link, Site<'_>),
    names: &BTreeSet<&str>,
) {
    let used = JEMALLOC.iter().find(|name| names.contains(*name));
    let wanted = site.kindnesses.jemalloc_pages && link.platform.architecture == "arm64";
    let Some(name) = used.filter(|_| wanted) else {
        return;
    };
    let target = link.target.to_uppercase().replace('-', "_");
    let own = format!("{target}_{LG_PAGE}");
    if toolchain.variable(LG_PAGE).is_some() || toolchain.variable(&own).is_some() {
        return;
    }
    kindness.variables.push((own, "16".to_owned()));
    kindness.notes.push(format!(
        "`{name}` is compiled for pages of up to 64 KiB on {} (`{LG_PAGE}=16`; off with `kindnesses: {{jemallocPages: false}}`)",
        link.platform
    ));
}

/// Without it sqlx's macros want a database while they compile.
fn sqlx_offline(
    kindness: &mut Kindness,
    toolchain: &Toolchain,
    site: Site<'_>,
    names: &BTreeSet<&str>,
) {
    let has = |directory: &Path| directory.join(".sqlx").is_dir();
    let prepared = names.contains("sqlx")
        && (has(site.root) || site.packages.iter().any(|package| has(package)));
    let is_set = |name| toolchain.variable(name).is_some();
    if !site.kindnesses.sqlx_offline
        || !prepared
        || is_set("SQLX_OFFLINE")
        || is_set("DATABASE_URL")
    {
        return;
    }
    kindness
        .variables
        .push(("SQLX_OFFLINE".to_owned(), "true".to_owned()));
    kindness.notes.push(
        "sqlx takes its queries from `.sqlx/` (`SQLX_OFFLINE=true`; off with `kindnesses: {sqlxOffline: false}`)".to_owned(),
    );
}

/// musl's allocator takes one lock for all threads.
fn musl_allocator(kindness: &mut Kindness, link: &Link, site: Site<'_>, names: &BTreeSet<&str>) {
    let any = |crates: &[&str]| crates.iter().any(|name| names.contains(name));
    let tokio = TOKIO.iter().all(|name| names.contains(name));
    let threads = any(&THREADS) || tokio;
    let wanted = site.kindnesses.musl_allocator && link.target.contains("-musl");
    if wanted && threads && !any(&ALLOCATORS) {
        kindness.notes.push(
            "musl's allocator is slow with many threads: a crate such as mimalloc makes up for it (off with `kindnesses: {muslAllocator: false}`)".to_owned(),
        );
    }
}
