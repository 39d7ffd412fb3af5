//! The name that an image gets.

use std::path::Path;

use anyhow::Result;

use crate::fault::Fault;
use crate::plan::request::{Naming, Style};
use crate::reference::{BadReference, Reference, is_tag};

/// Where images live that no repository was named for.
const NOWHERE: &str = "rbuild.local";

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
    let lower = name.to_lowercase();
    if lower.contains('@') || ends_in_tag(&lower) {
        let fault = Fault::refused(format!(
            "the repository of `{binary}` holds a tag, a digest or a password"
        ));
        return Err(fault.hint("give tags with `--tags`").into());
    }
    match lower.parse::<Reference>() {
        Ok(reference) => Ok(reference.name()),
        Err(error) => Err(unnameable(binary, &error).into()),
    }
}

fn unnameable(binary: &str, error: &BadReference) -> Fault {
    Fault::refused(format!("cannot name the image of `{binary}`: {error}"))
        .hint("set `image: {name: …}` for it in .builder.yaml, or choose another `--repo`")
}

fn ends_in_tag(name: &str) -> bool {
    name.rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'))
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
        if !is_tag(tag) {
            let fault = Fault::refused(format!("`{tag}` is not a tag"));
            return Err(fault.hint("a tag is 1 to 128 letters, digits, `_`, `.` and `-`, and does not begin with `.` or `-`").into());
        }
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

#[cfg(test)]
mod tests {
    use super::tags as checked;
    use super::*;

    fn named(repository: Option<&str>, style: Style) -> Result<String> {
        let naming = Naming {
            repository: repository.map(str::to_owned),
            style,
            tags: Vec::new(),
        };
        name(&naming, "Web_app", Path::new("crates/web"))
    }

    #[test]
    fn a_name_is_the_repository_and_the_binary_in_lower_case() {
        let repo = Some("localhost:5000/Team/");
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

    #[test]
    fn a_repository_with_a_tag_or_digest_is_refused() {
        for bad in [
            "r.example/a:v1",
            "r.example/a@sha256:00",
            "user:pw@r.example/a",
            "r.example/a b",
        ] {
            assert!(named(Some(bad), Style::Bare).is_err(), "{bad}");
        }
        assert!(named(None, Style::Bare).is_err());
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
