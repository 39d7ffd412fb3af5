//! The tar that entries become, looked at through a lint of our own.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::layer::lint::Seen;
use crate::layer::lint::lint;

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    write(entries, &mut out).expect("no fault");
    out
}

fn bytes(path: &str) -> Entry {
    Entry::bytes(path, "x").expect(path)
}

fn refusal(entries: &[Entry]) -> Fault {
    write(entries, &mut io::sink())
        .expect_err("refused")
        .downcast()
        .expect("a fault")
}

#[test]
fn v03_an_archive_is_sorted_with_its_parents_and_nothing_of_this_machine() {
    let entries = [
        bytes("usr/bin/web").with_mode(0o755),
        bytes("etc/conf").with_owner((7, 8)),
        Entry::directory("etc").expect("etc").with_mode(0o700),
    ];
    let seen = lint(&tar(&entries));
    let line = |seen: &Seen| {
        let owner = format!("{}:{}", seen.owner.0, seen.owner.1);
        format!(
            "{} {} {:o} {owner} {} {}{}",
            seen.path,
            seen.kind,
            seen.mode,
            seen.mtime,
            seen.target,
            String::from_utf8_lossy(&seen.content)
        )
    };
    let lines: Vec<String> = seen.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "etc 5 700 0:0 0 ",
            "etc/conf 0 644 7:8 0 x",
            "usr 5 755 0:0 0 ",
            "usr/bin 5 755 0:0 0 ",
            "usr/bin/web 0 755 0:0 0 x",
        ]
    );
    assert!(seen.iter().all(|seen| seen.records.is_empty()));
}

#[test]
fn v04_the_order_of_the_entries_does_not_show() {
    let mut entries = [bytes("b/c"), bytes("a"), bytes("b-d"), bytes("b/e")];
    let forward = tar(&entries);
    entries.reverse();
    assert_eq!(tar(&entries), forward);
}

#[test]
fn an_empty_archive_is_two_zero_blocks() {
    assert_eq!(tar(&[]), [0; 1024]);
    assert_eq!(lint(&tar(&[])), []);
}

#[test]
fn v03_a_pax_record_is_written_where_ustar_has_no_room_and_nowhere_else() {
    let name = |size: usize| "n".repeat(size);
    let deep = |prefix: usize, size: usize| format!("{}/{}", name(prefix), name(size));
    for (path, pax) in [
        (name(100), false),
        (name(101), true),
        (deep(155, 100), false),
        (deep(154, 101), true),
        (deep(156, 10), true),
        (format!("{}/{}", deep(100, 54), name(100)), false),
        ("app/with space".to_owned(), false),
        ("app/with\nnewline".to_owned(), false),
        ("app/größe".to_owned(), true),
    ] {
        let seen = lint(&tar(&[bytes(&path)]));
        let last = seen.last().expect("there");
        assert_eq!(last.path, path);
        assert_eq!(last.records.contains(&"path".to_owned()), pax, "{path:?}");
        assert_eq!(last.content, b"x");
    }
}

#[test]
fn a_long_directory_keeps_its_name_too() {
    for size in [98, 99, 100, 254, 255, 256, 300] {
        let path = format!("d/{}", "n".repeat(size));
        let seen = lint(&tar(&[Entry::directory(&path).expect("path")]));
        assert_eq!((seen[1].path.as_str(), seen[1].kind), (path.as_str(), '5'));
    }
}

#[test]
fn numbers_beyond_octal_digits_are_records() {
    let seen = lint(&tar(&[bytes("a").with_owner((0o7777777, 0o10000000))]));
    assert_eq!(seen[0].owner, (0o7777777, 0o10000000));
    assert_eq!(seen[0].records, ["gid"]);
}

#[test]
fn h20_a_file_of_four_gibibytes_fits_and_one_of_eight_has_a_record() {
    let entry = bytes("a");
    let headers = |size| {
        Member {
            size,
            ..Member::of(&entry)
        }
        .headers()
    };
    let four = headers(4 << 30);
    assert_eq!((four.len(), &four[124..136]), (512, &b"40000000000\0"[..]));
    let eight = headers(8 << 30);
    assert_eq!(&eight[512..530], b"19 size=8589934592");
    assert_eq!(&eight[1024 + 124..1024 + 136], b"00000000000\0");
}

#[test]
fn the_length_of_a_record_counts_its_own_digits() {
    for size in [1, 87, 88, 89, 90, 983, 984, 985, 986, 2000] {
        let mut records = Records::default();
        records.text("path", &"v".repeat(size));
        let text = String::from_utf8(records.0).expect("text");
        let (length, _) = text.split_once(' ').expect("length");
        assert_eq!(length.parse(), Ok(text.len()), "{text}");
    }
}

#[test]
fn v03_tar_readers_agree_with_our_own_reading() {
    let long = "p/".repeat(120) + "größe";
    let tar = tar(&[bytes(&long), bytes(&"q".repeat(120)), bytes("plain")]);
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut paths = Vec::new();
    for entry in archive.entries().expect("tar") {
        let entry = entry.expect("entry");
        let path = entry.path().expect("path").to_string_lossy().into_owned();
        paths.push(path.trim_end_matches('/').to_owned());
    }
    let ours: Vec<String> = lint(&tar).into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ours);
    assert!(ours.contains(&long));
}

#[test]
fn two_entries_of_one_path_are_refused_with_both_sources() {
    let file = Entry::file("/app/web", Path::new("/src/web")).expect("path");
    let fault = refusal(&[file, bytes("app//web")]);
    assert_eq!(fault.kind, Kind::Refused);
    assert_eq!(
        fault.to_string(),
        "two things want to be `/app/web` in one layer"
    );
    assert_eq!(
        fault.reasons(),
        [
            "`/app/web` is the file `/src/web`",
            "`/app/web` is a file that rbuild makes itself"
        ]
    );
}

#[test]
fn nothing_lies_below_a_file() {
    let fault = refusal(&[bytes("a/b/c"), bytes("a")]);
    assert_eq!(fault.to_string(), "two things want to be `/a` in one layer");
    assert!(
        fault.reasons()[1].contains("/a/b/c"),
        "{:?}",
        fault.reasons()
    );
}

#[test]
fn h20_a_link_in_the_place_of_a_file_is_not_followed() {
    let home = tempfile::tempdir().expect("dir");
    let secret = home.path().join("secret");
    fs::write(&secret, "secret").expect("write");
    let link = home.path().join("link");
    symlink(&secret, &link).expect("link");
    let fault = refusal(&[Entry::file("a", &link).expect("path")]);
    assert_eq!(fault.reasons(), ["it is a symbolic link"]);
    assert_eq!(fault.kind, Kind::Refused);
}

#[test]
fn h20_a_fifo_or_a_socket_in_the_place_of_a_file_is_refused_at_once() {
    let home = tempfile::tempdir().expect("dir");
    let fifo = home.path().join("fifo");
    crate::layer::lint::make_fifo(&fifo);
    let socket = home.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("socket");
    for path in [&fifo, &socket, Path::new("/dev/null"), home.path()] {
        let fault = refusal(&[Entry::file("a", path).expect("path")]);
        assert!(
            fault.to_string().ends_with("is not a regular file"),
            "{fault}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let fault = refusal(&[Entry::file("a", Path::new("/nowhere/x")).expect("path")]);
    assert_eq!(fault.to_string(), "cannot read `/nowhere/x`");
    assert_eq!(fault.kind, Kind::Disk);
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_read_is_an_error() {
    let home = tempfile::tempdir().expect("dir");
    let path = home.path().join("file");
    fs::write(&path, vec![7; STEP + 10]).expect("write");
    for wrong in [0, 1, STEP as u64 + 9, STEP as u64 + 11, 1 << 40] {
        let (file, _) = open(&path).expect("opens");
        let error = copy(file, wrong, &path, &mut io::sink()).expect_err("changed");
        assert!(
            error.to_string().ends_with("changed while it was read"),
            "{error}"
        );
    }
    let (file, size) = open(&path).expect("opens");
    copy(file, size, &path, &mut io::sink()).expect("is as it was");
}

#[test]
fn holes_in_a_file_are_zeros_like_any_other() {
    let home = tempfile::tempdir().expect("dir");
    let path = home.path().join("sparse");
    File::create(&path)
        .expect("file")
        .set_len(1 << 20)
        .expect("length");
    let sparse = tar(&[Entry::file("a", &path).expect("path")]);
    let dense = tar(&[Entry::bytes("a", vec![0; 1 << 20]).expect("path")]);
    assert!(sparse == dense);
}
