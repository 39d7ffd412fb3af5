//! What a directory of the user becomes, and what it may not hold.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::*;
use crate::layer::Content;
use crate::layer::lint::make_fifo;

/// A source root with these files (a name ending with `/` is a directory), each holding its own name.
fn root(files: &[&str]) -> TempDir {
    let home = tempfile::tempdir().expect("dir");
    for file in files {
        let path = home.path().join(file);
        fs::create_dir_all(path.parent().expect("parent")).expect("parents");
        match file.ends_with('/') {
            true => fs::create_dir_all(&path).expect("directory"),
            false => fs::write(&path, file).expect("file"),
        }
    }
    home
}

fn link(home: &TempDir, target: impl AsRef<Path>, name: &str) {
    symlink(target, home.path().join(name)).expect("link");
}

fn walk(home: &TempDir, from: &str, to: &str) -> Result<Vec<Entry>> {
    let from = home.path().join(from);
    entries(home.path(), &from, to, &Style::default())
}

/// One line for each entry: path, mode, and the content of its file.
fn lines(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| match &entry.content {
        Content::File(source) => {
            let content = fs::read_to_string(source).expect("source");
            format!("{} {:o} {content}", entry.path, entry.mode)
        }
        _ => format!("{} {:o}", entry.path, entry.mode),
    };
    entries.iter().map(line).collect()
}

fn refusal(result: Result<Vec<Entry>>) -> Fault {
    let fault: Fault = result.expect_err("refused").downcast().expect("a fault");
    assert_eq!(fault.kind, Kind::Refused, "{fault}");
    fault
}

#[test]
fn a_directory_goes_below_its_target_with_all_that_is_in_it() {
    let home = root(&["k/b/deep/file", "k/.hidden", "k/a.txt", "k/empty/", "k/a/x"]);
    let found = walk(&home, "k", "/var/run/ko").expect("tree");
    assert_eq!(
        lines(&found),
        [
            "var/run/ko 755",
            "var/run/ko/.hidden 644 k/.hidden",
            "var/run/ko/a 755",
            "var/run/ko/a.txt 644 k/a.txt",
            "var/run/ko/a/x 644 k/a/x",
            "var/run/ko/b 755",
            "var/run/ko/b/deep 755",
            "var/run/ko/b/deep/file 644 k/b/deep/file",
            "var/run/ko/empty 755",
        ]
    );
}

#[test]
fn a_slash_after_a_directorys_target_says_nothing() {
    let home = root(&["k/a"]);
    let plain = walk(&home, "k", "srv").expect("tree");
    assert_eq!(walk(&home, "k/", "/srv/").expect("tree"), plain);
}

#[test]
fn the_images_root_gets_no_entry_of_its_own() {
    let home = root(&["k/etc/a"]);
    let found = walk(&home, "k", "/").expect("tree");
    assert_eq!(lines(&found), ["etc 755", "etc/a 644 k/etc/a"]);
}

#[test]
fn a_file_goes_to_its_target_or_below_it() {
    let home = root(&["conf.toml"]);
    link(&home, "conf.toml", "alias");
    for (from, to, path) in [
        ("conf.toml", "/etc/app", "etc/app"),
        ("conf.toml", "/etc/app/", "etc/app/conf.toml"),
        ("alias", "/etc/app/", "etc/app/alias"),
        ("conf.toml", "/", "conf.toml"),
    ] {
        let found = walk(&home, from, to).expect(from);
        assert_eq!(lines(&found), [format!("{path} 644 conf.toml")]);
    }
}

#[test]
fn v06_modes_follow_the_x_bit_or_the_style_and_never_the_umask() {
    let home = root(&["k/run", "k/open", "k/d/"]);
    for (name, mode) in [("run", 0o6711), ("open", 0o666), ("d", 0o777)] {
        let path = home.path().join("k").join(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode");
    }
    let found = walk(&home, "k", "k").expect("tree");
    let modes = |found: &[Entry]| found.iter().map(|entry| entry.mode).collect::<Vec<_>>();
    assert_eq!(modes(&found), [0o755, 0o755, 0o644, 0o755]);
    let style = Style {
        mode: Some(0o600),
        owner: (5, 6),
    };
    let found = entries(home.path(), &home.path().join("k"), "k", &style).expect("tree");
    assert_eq!(modes(&found), [0o755, 0o755, 0o600, 0o600]);
    assert!(found.iter().all(|entry| entry.owner == (5, 6)));
}

#[test]
fn h20_links_inside_the_root_become_what_they_point_to() {
    let home = root(&["k/real/a", "shared/b"]);
    link(&home, "real", "k/again");
    link(&home, "../shared/b", "k/file");
    link(&home, home.path().join("shared"), "k/absolute");
    link(&home, "file", "k/twice");
    let found = walk(&home, "k", "k").expect("tree");
    assert_eq!(
        lines(&found),
        [
            "k 755",
            "k/absolute 755",
            "k/absolute/b 644 shared/b",
            "k/again 755",
            "k/again/a 644 k/real/a",
            "k/file 644 shared/b",
            "k/real 755",
            "k/real/a 644 k/real/a",
            "k/twice 644 shared/b",
        ]
    );
    let sources = found.iter().filter_map(|entry| match &entry.content {
        Content::File(source) => Some(source),
        _ => None,
    });
    let root = home.path().canonicalize().expect("root");
    for source in sources {
        assert!(source.starts_with(&root), "{source:?}");
        assert!(!fs::symlink_metadata(source).expect("there").is_symlink());
    }
}

#[test]
fn h20_a_root_that_is_a_link_is_followed_like_any_other() {
    let home = root(&["real/a"]);
    link(&home, "real", "kodata");
    let found = walk(&home, "kodata", "k").expect("tree");
    assert_eq!(lines(&found), ["k 755", "k/a 644 real/a"]);
    let elsewhere = root(&["secret/a"]);
    link(&home, elsewhere.path().join("secret"), "out");
    let fault = refusal(walk(&home, "out", "k"));
    assert!(
        fault.to_string().ends_with("out` leads out of its root"),
        "{fault}"
    );
    let door = root(&[]);
    link(&door, home.path(), "root");
    let through = door.path().join("root");
    let found = entries(&through, &through.join("kodata"), "k", &Style::default());
    assert_eq!(found.expect("tree").len(), 2);
}

#[test]
fn h20_what_leads_out_of_the_root_is_refused() {
    let outside = root(&["ssh/id", "srv-secret/x"]);
    for target in ["ssh", "ssh/id"] {
        let home = root(&["k/a"]);
        link(&home, outside.path().join(target), "k/link");
        let fault = refusal(walk(&home, "k", "k"));
        assert!(
            fault
                .to_string()
                .ends_with("/k/link` leads out of its root"),
            "{fault}"
        );
        assert!(fault.reasons()[0].contains(target), "{:?}", fault.reasons());
    }
    let inner = outside.path().join("srv");
    fs::create_dir(&inner).expect("dir");
    let sibling = outside.path().join("srv-secret");
    refusal(entries(&inner, &sibling, "k", &Style::default()));
    refusal(entries(
        &inner,
        &inner.join("../ssh/id"),
        "k",
        &Style::default(),
    ));
}

#[test]
fn h20_circles_are_refused_with_the_way_round() {
    let home = root(&["k/a/b/"]);
    link(&home, "..", "k/a/b/up");
    let fault = refusal(walk(&home, "k", "k"));
    assert!(
        fault.to_string().ends_with("/k/a/b/up` goes in circles"),
        "{fault}"
    );
    let way: Vec<&str> = fault.reasons()[0].split(" leads to ").collect();
    assert_eq!(way.len(), 3, "{way:?}");
    assert!(
        way[0].ends_with("/k/a`") && way[2].ends_with("/k/a/b/up`"),
        "{way:?}"
    );
}

#[test]
fn h20_links_to_themselves_and_to_nothing_are_refused() {
    for (target, name, says) in [
        ("me", "me", "goes in circles"),
        (".", "loop", "goes in circles"),
        ("gone", "dangling", "leads nowhere"),
    ] {
        let home = root(&["k/a"]);
        link(&home, target, &format!("k/{name}"));
        let fault = refusal(walk(&home, "k", "k"));
        assert!(fault.to_string().contains(name), "{fault}");
        assert!(fault.to_string().ends_with(says), "{fault}");
    }
}

#[test]
fn h20_two_links_to_one_directory_are_no_circle() {
    let home = root(&["k/d/x"]);
    link(&home, "d", "k/one");
    link(&home, "one", "k/two");
    assert_eq!(walk(&home, "k", "k").expect("tree").len(), 7);
}

#[test]
fn h20_links_that_fan_out_without_end_are_refused() {
    let home = root(&[]);
    for level in 0..24 {
        let directory = home.path().join(format!("d{level}"));
        fs::create_dir(&directory).expect("dir");
        for name in ["l", "r"] {
            symlink(format!("../d{}", level + 1), directory.join(name)).expect("link");
        }
    }
    fs::create_dir(home.path().join("d24")).expect("dir");
    let walk = Walk {
        root: home.path().canonicalize().expect("root"),
        style: &Style::default(),
        most: 1000,
    };
    let fault = refusal(walk.entries(&home.path().join("d0"), "k"));
    assert!(
        fault.to_string().ends_with("holds too much for one layer"),
        "{fault}"
    );
}

#[test]
fn h20_fifos_and_sockets_are_refused_without_waiting_for_them() {
    let home = root(&["f/", "s/"]);
    make_fifo(&home.path().join("f/pipe"));
    let _listener = UnixListener::bind(home.path().join("s/sock")).expect("socket");
    link(&home, "f/pipe", "alias");
    for (from, kind) in [
        ("f", "it is a FIFO"),
        ("f/pipe", "it is a FIFO"),
        ("alias", "it is a FIFO"),
        ("s", "it is a socket"),
    ] {
        let fault = refusal(walk(&home, from, "k"));
        assert!(
            fault.to_string().ends_with("cannot go into an image"),
            "{fault}"
        );
        assert_eq!(fault.reasons(), [kind]);
    }
    let device = entries(
        Path::new("/dev"),
        Path::new("/dev/null"),
        "k",
        &Style::default(),
    );
    assert_eq!(refusal(device).reasons(), ["it is a device"]);
}

#[test]
fn h20_hard_links_are_files_and_newlines_are_names() {
    let home = root(&["k/a", "k/with\nnewline"]);
    fs::hard_link(home.path().join("k/a"), home.path().join("k/b")).expect("link");
    let found = walk(&home, "k", "k").expect("tree");
    assert_eq!(
        lines(&found),
        [
            "k 755",
            "k/a 644 k/a",
            "k/b 644 k/a",
            "k/with\nnewline 644 k/with\nnewline"
        ]
    );
}

#[test]
fn names_that_are_not_text_are_refused_and_shown_escaped() {
    let home = root(&["k/"]);
    let name = OsStr::from_bytes(b"caf\xe9\x1b[2J");
    fs::write(home.path().join("k").join(name), "").expect("file");
    let fault = refusal(walk(&home, "k", "k"));
    assert!(fault.to_string().contains("caf\\xE9\\u{1b}[2J"), "{fault}");
    let single = home.path().join("k").join(name);
    let fault = entries(home.path(), &single, "k/", &Style::default());
    assert!(refusal(fault).to_string().ends_with("is not UTF-8"));
}

#[test]
fn what_is_not_there_is_named() {
    let home = root(&[]);
    let fault = refusal(walk(&home, "static", "srv"));
    assert!(
        fault.to_string().ends_with("/static` does not exist"),
        "{fault}"
    );
}

#[test]
fn the_same_trouble_is_met_first_on_every_machine() {
    let home = root(&["k/z/", "k/a/"]);
    for name in ["z/9", "z/1", "a/5", "a/2"] {
        make_fifo(&home.path().join("k").join(name));
    }
    let fault = refusal(walk(&home, "k", "k"));
    assert!(fault.to_string().contains("/k/a/2`"), "{fault}");
}
