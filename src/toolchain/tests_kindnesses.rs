//! What is done for known crates, told by their names in Cargo.lock.

use super::tests::*;
use super::*;

use super::link::Chosen;
use crate::config::Kindnesses;
use crate::config::Libc;

const OFF: Kindnesses = Kindnesses {
    jemalloc_pages: false,
    sqlx_offline: false,
    musl_allocator: false,
};

/// What is chosen for arm64 by a machine whose lock names `crates`.
fn chosen(
    machine: &Machine,
    crates: &[&str],
    own: &[(&str, &str)],
    kindnesses: Kindnesses,
) -> Chosen {
    let named = |name: &&str| format!("[[package]]\nname = \"{name}\"\n");
    let lock: String = crates.iter().map(named).collect();
    machine.file("workspace/Cargo.lock", &lock);
    machine.file("path/cc", "");
    let toolchain = machine.toolchain(own);
    let target = target(&toolchain, &platform("linux/arm64"), Libc::Auto).expect("a target");
    let place = tempfile::tempdir().expect("a directory");
    let site = Site {
        root: &machine.path("workspace"),
        kits: &kits(place.path()),
        sysroots: &BTreeMap::new(),
        base: &BaseLibraries::NotAsked,
        packages: &[machine.path("workspace/web")],
        kindnesses,
    };
    link(&toolchain, &target, &[], site).expect("a link")
}

fn set(chosen: &Chosen) -> Vec<String> {
    let pairs = chosen.link.variables.iter();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

const PAGES: &str = "AARCH64_UNKNOWN_LINUX_MUSL_JEMALLOC_SYS_WITH_LG_PAGE=16";

#[test]
fn jemalloc_on_arm64_works_with_every_page_size() {
    let machine = Machine::with(&[ARM_MUSL]);
    let done = chosen(&machine, &["tikv-jemalloc-sys"], &[], Kindnesses::default());
    assert_eq!(set(&done), [PAGES]);
    assert_eq!(done.notes.len(), 1);
    assert!(done.notes[0].contains("`kindnesses: {jemallocPages: false}`"));
    let own = [("JEMALLOC_SYS_WITH_LG_PAGE", "14")];
    let done = chosen(
        &machine,
        &["tikv-jemalloc-sys"],
        &own,
        Kindnesses::default(),
    );
    assert_eq!((set(&done).len(), done.notes.len()), (0, 0));
    assert!(set(&chosen(&machine, &["tikv-jemalloc-sys"], &[], OFF)).is_empty());
    assert!(set(&chosen(&machine, &["mimalloc"], &[], Kindnesses::default())).is_empty());
}

#[test]
fn sqlx_is_offline_where_its_queries_lie_and_no_database_is_named() {
    for place in [
        "workspace/.sqlx/query.json",
        "workspace/web/.sqlx/query.json",
    ] {
        let machine = Machine::with(&[ARM_MUSL]);
        let none = chosen(&machine, &["sqlx"], &[], Kindnesses::default());
        assert!(set(&none).is_empty(), "nothing is prepared");
        machine.file(place, "{}");
        let done = chosen(&machine, &["sqlx"], &[], Kindnesses::default());
        assert_eq!(set(&done), ["SQLX_OFFLINE=true"]);
        assert!(done.notes[0].contains("`kindnesses: {sqlxOffline: false}`"));
        for own in [
            ("SQLX_OFFLINE", "false"),
            ("DATABASE_URL", "sqlite::memory:"),
        ] {
            let done = chosen(&machine, &["sqlx"], &[own], Kindnesses::default());
            assert!(set(&done).is_empty(), "{own:?}");
        }
        assert!(set(&chosen(&machine, &["sqlx"], &[], OFF)).is_empty());
        assert!(set(&chosen(&machine, &["serde"], &[], Kindnesses::default())).is_empty());
    }
}

#[test]
fn threads_on_musls_allocator_are_named_unless_there_is_another() {
    let machine = Machine::with(&[ARM_MUSL]);
    let notes = |crates: &[&str], kindnesses| chosen(&machine, crates, &[], kindnesses).notes;
    for crates in [&["tokio", "mio"][..], &["rayon-core"]] {
        let said = notes(crates, Kindnesses::default());
        assert!(said[0].contains("mimalloc"), "{said:?}");
        let other = [crates, &["tikv-jemallocator"]].concat();
        assert!(notes(&other, Kindnesses::default()).is_empty());
        assert!(notes(crates, OFF).is_empty());
    }
    assert!(notes(&["tokio"], Kindnesses::default()).is_empty());
}
