//! Where the file is looked for, and where not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use super::words;
use crate::config::find;
use crate::config::load;
use crate::config::named;

/// A directory with the files that are named, `PATH` or `PATH=text`, and its true path.
fn project(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let root = fs::canonicalize(directory.path()).expect("a path");
    for file in files {
        let (path, text) = file.split_once('=').unwrap_or((file, ""));
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    (directory, root)
}

fn found(start: &Path) -> Option<PathBuf> {
    find(start).expect("one file at most")
}

#[test]
fn the_nearest_file_upwards_holds() {
    let files = [
        "a/b/c/x.rs",
        "a/.builder.yaml",
        ".builder.yaml",
        ".git/HEAD",
    ];
    let (_kept, root) = project(&files);
    assert_eq!(
        found(&root.join("a/b/c")),
        Some(root.join("a/.builder.yaml"))
    );
    assert_eq!(
        found(&root.join("a/b/c/x.rs")),
        Some(root.join("a/.builder.yaml"))
    );
    assert_eq!(found(&root), Some(root.join(".builder.yaml")));
}

#[test]
fn the_search_ends_at_the_directory_of_git_which_is_still_looked_at() {
    let (_kept, root) = project(&[
        ".builder.yaml",
        "in/.git/HEAD",
        "in/src/x",
        "worktree/.git=gitdir: x",
        "worktree/x",
    ]);
    assert_eq!(found(&root.join("in/src")), None);
    assert_eq!(found(&root.join("worktree")), None);
    fs::write(root.join("in/.builder.yml"), "").expect("written");
    assert_eq!(
        found(&root.join("in/src")),
        Some(root.join("in/.builder.yml"))
    );
}

#[test]
fn the_search_ends_at_a_workspace_but_not_at_a_package() {
    let (_kept, root) = project(&[
        ".builder.yaml",
        "ws/Cargo.toml=[workspace]\nmembers = [\"p\"]",
        "ws/p/Cargo.toml=[package]\nname = \"p\"\nworkspace = \"..\"",
        "lone/p/Cargo.toml=[package]\nname = \"p\"",
    ]);
    assert_eq!(found(&root.join("ws/p")), None);
    assert_eq!(
        found(&root.join("lone/p")),
        Some(root.join(".builder.yaml"))
    );
    fs::write(root.join("ws/.builder.yaml"), "").expect("written");
    assert_eq!(
        found(&root.join("ws/p")),
        Some(root.join("ws/.builder.yaml"))
    );
}

#[test]
fn a_workspace_is_known_by_its_table_however_it_is_written() {
    for (manifest, ends) in [
        ("[workspace]", true),
        ("  [ workspace ] # root", true),
        (
            "[package]\nname = \"x\"\n\n[workspace.package]\nversion = \"1\"",
            true,
        ),
        ("[workspace.dependencies]", true),
        ("workspace.members = [\"a\"]\n", true),
        ("workspace = { members = [] }", true),
        ("[package]\nworkspace = \"..\"", false),
        ("[package]\nversion.workspace = true", false),
        ("# [workspace]", false),
        ("[package]\ndescription = '[workspace]'", false),
        (
            "[package]\ndescription = \"\"\"\n[workspace]\n\"\"\"",
            false,
        ),
        (
            "[package]\ndescription = '''\n[workspace]\n'''\n[workspace]",
            true,
        ),
        ("[package]\nname = \"x\" # don't: \"\"\"\n[workspace]", true),
        ("[package]\nd = \"\"\"one\"\"\" \n[workspace]", true),
        ("[workspaces]", false),
        ("[[workspace-x]]", false),
        ("[package.metadata.workspace]", false),
        ("", false),
    ] {
        let (_kept, root) = project(&[".builder.yaml", "in/x"]);
        fs::write(root.join("in/Cargo.toml"), manifest).expect("written");
        assert_eq!(found(&root.join("in")).is_none(), ends, "{manifest}");
    }
}

#[test]
fn two_files_side_by_side_are_refused() {
    let (_kept, root) = project(&[".builder.yaml", ".builder.yml", "in/x"]);
    for error in [find(&root.join("in")), named(&root).map(Some)] {
        let words = words(&error.expect_err("two files"), &root);
        assert!(
            words.starts_with("exit 2: two configurations in"),
            "{words}"
        );
        assert!(words.contains("hint: keep one of them"), "{words}");
    }
}

#[test]
fn a_link_to_nowhere_is_found_and_then_refused_rather_than_passed_over() {
    let (_kept, root) = project(&["in/x", ".builder.yaml"]);
    symlink("nowhere", root.join("in/.builder.yaml")).expect("linked");
    let file = found(&root.join("in")).expect("the link");
    let words = words(&load(&file).expect_err("dangling"), &root);
    assert!(
        words.starts_with("exit 2: cannot read the configuration `in/.builder.yaml`\n"),
        "{words}"
    );
}

#[test]
fn a_directory_reached_by_a_link_belongs_where_it_really_is() {
    let (_kept, root) = project(&["real/.builder.yaml", "real/in/x", "other/.builder.yaml"]);
    symlink("../real/in", root.join("other/link")).expect("linked");
    assert_eq!(
        found(&root.join("other/link")),
        Some(root.join("real/.builder.yaml"))
    );
    assert_eq!(
        found(&root.join("real/in/../../other")),
        Some(root.join("other/.builder.yaml"))
    );
}

#[test]
fn a_start_that_does_not_exist_finds_nothing() {
    assert_eq!(found(Path::new("/nonexistent/place")), None);
}

#[test]
fn a_named_file_or_directory_is_taken_and_a_missing_one_is_refused_with_what_was_looked_for() {
    let (_kept, root) = project(&["a/.builder.yml", "b/any-name.yaml", "c/x"]);
    assert_eq!(
        named(&root.join("a")).expect("there"),
        root.join("a/.builder.yml")
    );
    let file = root.join("b/any-name.yaml");
    assert_eq!(named(&file).expect("there"), file);
    let absent = words(&named(&root.join("nowhere")).expect_err("absent"), &root);
    assert!(
        absent.contains("no configuration at `nowhere`\n"),
        "{absent}"
    );
    let empty = words(&named(&root.join("c")).expect_err("empty"), &root);
    assert!(
        empty.contains("because: looked for `c/.builder.yaml` and `c/.builder.yml`\n"),
        "{empty}"
    );
    assert!(empty.contains("hint: set RBUILD_CONFIG"), "{empty}");
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let (_kept, root) = project(&["x"]);
    fs::create_dir(root.join(".builder.yaml")).expect("made");
    let words = words(
        &load(&root.join(".builder.yaml")).expect_err("a directory"),
        &root,
    );
    assert!(
        words.contains("because: it is not a regular file"),
        "{words}"
    );
    assert!(load(Path::new("/dev/zero")).is_err());
}
