//! The name that an image gets.

use std::path::Path;

use anyhow::Result;

use crate::fault::Fault;
use crate::plan::request::{Naming, Style};
use crate::reference::{BadReference, Reference, is_host, is_registry_alone, is_tag};

/// Where images live that no repository was named for; no registry is called so.
pub(crate) const NOWHERE: &str = "rbuild.local";

/// What ko takes for a local daemon, and what serves instead.
const LOCAL: [(&str, &str); 2] = [
    (
        "ko.local",
        "write a tarball: `--push=false --tarball image.tar`, then `docker load -i image.tar`",
    ),
    (
        "kind.local",
        "write a tarball: `--push=false --tarball image.tar`, then `kind load image-archive image.tar`",
    ),
];

/// Refuses a repository or tags with which no image could be named, whatever it is of.
pub(super) fn look(naming: &Naming) -> Result<()> {
    if let Some(repository) = &naming.repository {
        let repository = repository.trim_end_matches('/');
        refuse_repository(repository)?;
        if naming.style == Style::Bare {
            refuse_registry(repository)?;
        }
    }
    let tags = tags(naming)?;
    if naming.tag_only {
        refuse_tag_only(&tags)?;
    }
    Ok(())
}

/// Refuses a registry where a repository is needed: it would be taken for one of Docker Hub.
pub(crate) fn refuse_registry(repository: &str) -> Result<()> {
    if !is_registry_alone(repository) {
        return Ok(());
    }
    let told = format!("`{repository}` is a registry; name a repository in it");
    Err(Fault::refused(told)
        .hint(format!("write `{repository}/NAME`"))
        .into())
}

fn refuse_repository(repository: &str) -> Result<()> {
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    if repository.contains('@') || ends_in_tag(path) {
        let fault = Fault::refused("the repository holds a tag, a digest or a password");
        return Err(fault
            .because("it is given by `--repo` or `RBUILD_REPO`")
            .hint("give tags with `--tags`, and log in with `rbuild login`")
            .into());
    }
    if let Some((local, instead)) = LOCAL.iter().find(|(local, _)| *local == host) {
        let fault = Fault::refused(format!(
            "`{local}` is no registry: rbuild talks to no daemon"
        ));
        return Err(fault.hint(*instead).into());
    }
    let named = if is_host(host) { path } else { repository };
    if named.chars().any(char::is_uppercase) {
        let fault = Fault::refused(format!("the repository `{repository}` has capitals"));
        return Err(fault
            .because("registries know lower case alone")
            .hint(format!("write `{}`", repository.to_lowercase()))
            .into());
    }
    Ok(())
}

/// A reference without a digest says something only by its one tag.
fn refuse_tag_only(tags: &[String]) -> Result<()> {
    match tags {
        [tag] if tag != "latest" => Ok(()),
        _ => Err(
            Fault::refused("`--tag-only` needs exactly one tag, and not `latest`")
                .because("its references carry no digest, so the tag alone says which image it is")
                .hint("name one with `--tags v1.2.3`, or leave `--tag-only` out")
                .into(),
        ),
    }
}

/// `registry/repository` for a binary (or the name that the configuration gives its image), in the directory `within` the workspace.
pub(crate) fn name(naming: &Naming, binary: &str, within: &Path) -> Result<String> {
    let repository = naming.repository.as_deref();
    let repository = repository.map(|text| text.trim_end_matches('/'));
    if naming.style == Style::Bare && repository.is_none() {
        return Err(Fault::refused("`--bare` needs a repository")
            .hint("add `--repo REGISTRY/NAME` or set `RBUILD_REPO`")
            .into());
    }
    let root = repository.unwrap_or(NOWHERE);
    let name = match naming.style {
        Style::Bare => root.to_owned(),
        Style::Binary => format!("{root}/{binary}"),
        Style::Path => parts(root, within, binary).join("/"),
    };
    match name.to_lowercase().parse::<Reference>() {
        Ok(reference) => Ok(reference.name()),
        Err(error) => Err(unnameable(binary, &error).into()),
    }
}

/// The repository in `repository` of an image that was built without one, and `name` there.
pub(crate) fn name_in(repository: &str, name: &str) -> Result<Reference> {
    let repository = repository.trim_end_matches('/');
    refuse_repository(repository)?;
    let full = format!("{repository}/{name}").to_lowercase();
    full.parse()
        .map_err(|error| unnameable(name, &error).into())
}

fn unnameable(binary: &str, error: &BadReference) -> Fault {
    Fault::refused(format!("cannot name the image of `{binary}`: {error}"))
        .hint("set `image: {name: …}` for it in .builder.yaml, or choose another `--repo`")
}

fn ends_in_tag(path: &str) -> bool {
    path.contains(':')
}

fn parts(root: &str, within: &Path, binary: &str) -> Vec<String> {
    let middle = within
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    std::iter::once(root.to_owned())
        .chain(middle)
        .chain([binary.to_owned()])
        .collect()
}

/// Checks the tags; none means `latest`. Each is kept once, in order.
pub(crate) fn tags(naming: &Naming) -> Result<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    for tag in &naming.tags {
        check_tag(tag)?;
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    Ok(if tags.is_empty() {
        vec!["latest".to_owned()]
    } else {
        tags
    })
}

/// Refuses what is no tag.
pub(crate) fn check_tag(tag: &str) -> Result<()> {
    if is_tag(tag) {
        return Ok(());
    }
    let fault = Fault::refused(format!("`{tag}` is not a tag"));
    Err(fault
        .hint("a tag is 1 to 128 letters, digits, `_`, `.` and `-`, and does not begin with `.` or `-`")
        .into())
}

#[cfg(test)]
mod tests {
    use super::tags as checked;
    use super::*;

    fn named(repository: Option<&str>, style: Style) -> Result<String> {
        let naming = Naming {
            repository: repository.map(str::to_owned),
            style,
            ..Naming::default()
        };
        name(&naming, "Web_app", Path::new("crates/web"))
    }

    #[test]
    fn a_name_is_the_repository_and_the_binary_in_lower_case() {
        let repo = Some("LocalHost:5000/team/");
        assert_eq!(
            named(repo, Style::Binary).expect("named"),
            "localhost:5000/team/web_app"
        );
        assert_eq!(
            named(repo, Style::Bare).expect("named"),
            "localhost:5000/team"
        );
        assert_eq!(
            named(repo, Style::Path).expect("named"),
            "localhost:5000/team/crates/web/web_app"
        );
        assert_eq!(
            named(None, Style::Binary).expect("named"),
            "rbuild.local/web_app"
        );
    }

    /// What is said of a repository before anything is looked at.
    fn looked(repository: &str) -> Result<()> {
        look(&Naming {
            repository: Some(repository.to_owned()),
            ..Naming::default()
        })
    }

    #[test]
    fn a_repository_with_a_tag_or_digest_is_refused_and_no_password_is_repeated() {
        for bad in [
            "r.example/a:v1",
            "r.example/a:v1/b",
            "r.example/a@sha256:00",
            "user:pw@r.example/a",
            "user:pw@r.example:5000",
        ] {
            let error = looked(bad).expect_err(bad);
            assert!(!format!("{error:?}").contains("pw"), "{error:?}");
        }
        for good in ["r.example", "r.example:5000/a/b/", "team", "[::1]:5000/a"] {
            looked(good).expect(good);
        }
        assert!(named(Some("r.example/a b"), Style::Bare).is_err());
        assert!(named(None, Style::Bare).is_err());
    }

    #[test]
    fn a_registry_alone_is_no_repository_for_an_image_of_its_own() {
        let bare = |repository: &str| {
            look(&Naming {
                repository: Some(repository.to_owned()),
                style: Style::Bare,
                ..Naming::default()
            })
        };
        for bad in [
            "localhost:5000",
            "localhost",
            "r.example",
            "r.example/",
            "r:5000",
            "[::1]:5000",
        ] {
            let fault = bare(bad).expect_err(bad).downcast::<Fault>();
            let told = fault.expect("a fault").to_string();
            let name = bad.trim_end_matches('/');
            let expected = format!("`{name}` is a registry; name a repository in it");
            assert_eq!(told, expected);
        }
        bare("team").expect("one of Docker Hub");
        bare("localhost:5000/app").expect("a repository");
        looked("localhost:5000").expect("the binary is the repository");
    }

    #[test]
    fn a_repository_with_capitals_is_refused_with_its_lower_case_but_a_host_may_have_them() {
        for (bad, good) in [
            ("ghcr.io/Team", "ghcr.io/team"),
            ("Team", "team"),
            ("Team/App", "team/app"),
        ] {
            let fault = looked(bad).expect_err(bad).downcast::<Fault>();
            let fault = fault.expect("a fault");
            assert_eq!(fault.hints(), [format!("write `{good}`")]);
        }
        looked("GHCR.io/team").expect("a host is the same in any case");
        looked("LOCALHOST/team").expect("as is this one");
    }

    #[test]
    fn the_daemons_of_ko_are_no_registries_but_a_host_that_begins_like_them_is_one() {
        for local in ["ko.local", "kind.local", "ko.local/team"] {
            let fault = looked(local).expect_err(local).downcast::<Fault>();
            assert!(fault.expect("a fault").hints()[0].contains("--tarball"));
        }
        looked("ko.local.example.com/team").expect("a registry");
    }

    #[test]
    fn a_reference_of_a_tag_alone_needs_exactly_one_tag_that_is_not_latest() {
        let look = |tags: &[&str]| {
            look(&Naming {
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                tag_only: true,
                ..Naming::default()
            })
        };
        look(&["v1"]).expect("one");
        look(&["v1", "v1"]).expect("one, said twice");
        for bad in [&[][..], &["latest"], &["v1", "v2"], &["a b"]] {
            assert!(look(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_are_checked_and_each_is_kept_once() {
        let tags = |list: &[&str]| {
            checked(&Naming {
                tags: list.iter().map(|tag| (*tag).to_owned()).collect(),
                ..Naming::default()
            })
        };
        assert_eq!(tags(&[]).expect("default"), ["latest"]);
        assert_eq!(
            tags(&["v1", "latest", "v1"]).expect("valid"),
            ["v1", "latest"]
        );
        for bad in ["", ".x", "-x", "a/b", "a b", &"a".repeat(129)] {
            assert!(tags(&[bad]).is_err(), "{bad}");
        }
    }
}
