//! What kind of document a manifest is: header and body must agree.
//!
//! A header that names a kind is held to its word; one that names none (`text/plain`, nothing) leaves it to the body. A document
//! that could be taken for two things is refused (CVE-2021-41190).

use serde_json::{Map, Value};

use crate::json;
use crate::media;
use crate::registry::error::{Cause, Error};

/// A `Content-Type` without its parameters, in lower case.
pub(super) fn media_type(header: Option<&str>) -> Option<String> {
    let bare = header?.split(';').next()?.trim().to_ascii_lowercase();
    Some(bare).filter(|bare| !bare.is_empty())
}

/// A kind that a HEAD can be believed about.
pub(super) fn is_known(media_type: &str) -> bool {
    media::is_index(media_type) || media::is_manifest(media_type)
}

/// The one media type that `Content-Type` and body agree on.
pub(super) fn agreed(header: Option<&str>, body: &[u8]) -> Result<String, Error> {
    let value =
        json::parse(body).map_err(|error| damaged(format!("it is not strict JSON: {error}")))?;
    let object = value
        .as_object()
        .ok_or_else(|| damaged("it is not a JSON object"))?;
    let told = media_type(header).filter(|told| told.starts_with("application/vnd."));
    match (told, object.get("mediaType").and_then(Value::as_str)) {
        (Some(told), Some(own)) if told != own => Err(damaged(format!(
            "it says that it is `{own}` but came as `{told}`"
        ))),
        (_, Some(own)) => Ok(own.to_owned()),
        (Some(told), None) => fitting(told, object),
        (None, None) => shaped(object),
    }
}

/// The header's word, unless the shape of the body contradicts it.
fn fitting(told: String, object: &Map<String, Value>) -> Result<String, Error> {
    let contradicts = match media::is_index(&told) {
        true => is_manifest(object),
        false => media::is_manifest(&told) && object.contains_key("manifests"),
    };
    match contradicts {
        true => Err(damaged(format!(
            "it does not look like the `{told}` it came as"
        ))),
        false => Ok(told),
    }
}

fn shaped(object: &Map<String, Value>) -> Result<String, Error> {
    let config = object
        .get("config")
        .and_then(|config| config.get("mediaType"));
    match (object.contains_key("manifests"), is_manifest(object)) {
        (true, false) => Ok(media::OCI_INDEX.to_owned()),
        (false, true) if config == Some(&media::DOCKER_CONFIG.into()) => {
            Ok(media::DOCKER_MANIFEST.to_owned())
        }
        (false, true) => Ok(media::OCI_MANIFEST.to_owned()),
        _ => Err(damaged("neither it nor the registry says what it is")),
    }
}

fn is_manifest(object: &Map<String, Value>) -> bool {
    object.contains_key("config") || object.contains_key("layers")
}

fn damaged(why: impl Into<String>) -> Error {
    Error::new(Cause::Integrity, "the manifest is damaged").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
    const MANIFEST: &str = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;

    fn own(media_type: &str) -> String {
        format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}"}}"#)
    }

    #[test]
    fn r16_a_header_that_names_no_kind_leaves_it_to_the_body() {
        for header in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/json; charset=utf-8"),
        ] {
            for kind in [
                media::OCI_INDEX,
                media::OCI_MANIFEST,
                media::DOCKER_LIST,
                media::DOCKER_MANIFEST,
            ] {
                assert_eq!(agreed(header, own(kind).as_bytes()).expect(kind), kind);
            }
            assert_eq!(
                agreed(header, INDEX.as_bytes()).expect("by shape"),
                media::OCI_INDEX
            );
            assert_eq!(
                agreed(header, MANIFEST.as_bytes()).expect("by shape"),
                media::OCI_MANIFEST
            );
        }
    }

    #[test]
    fn r16_parameters_and_case_of_a_header_do_not_matter() {
        let header = format!("{}; charset=UTF-8", media::OCI_MANIFEST.to_uppercase());
        assert_eq!(
            agreed(Some(&header), MANIFEST.as_bytes()).expect("fits"),
            media::OCI_MANIFEST
        );
    }

    #[test]
    fn h05_header_and_body_must_agree_in_every_permutation() {
        let kinds = [
            media::OCI_INDEX,
            media::OCI_MANIFEST,
            media::DOCKER_LIST,
            media::DOCKER_MANIFEST,
        ];
        for told in kinds {
            for said in kinds {
                let result = agreed(Some(told), own(said).as_bytes());
                assert_eq!(result.is_ok(), told == said, "{told} and {said}");
            }
        }
        let error = agreed(
            Some("application/vnd.other+json"),
            own(media::OCI_INDEX).as_bytes(),
        );
        assert_eq!(error.expect_err("other").cause, Cause::Integrity);
    }

    #[test]
    fn h04_a_body_of_another_shape_than_its_header_is_refused() {
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        for (header, body) in [
            (Some(media::OCI_INDEX), MANIFEST),
            (Some(media::OCI_MANIFEST), INDEX),
            (Some(media::DOCKER_MANIFEST), both),
            (Some(media::DOCKER_LIST), both),
            (None, both),
            (None, r#"{"schemaVersion":2}"#),
            (None, "[]"),
            (None, "{} {}"),
        ] {
            let error = agreed(header, body.as_bytes()).expect_err(body);
            assert_eq!(error.cause, Cause::Integrity, "{body}");
        }
    }

    #[test]
    fn a_docker_manifest_without_a_type_is_known_by_its_config() {
        let body = format!(
            r#"{{"config":{{"mediaType":"{}"}},"layers":[]}}"#,
            media::DOCKER_CONFIG
        );
        assert_eq!(
            agreed(None, body.as_bytes()).expect("by config"),
            media::DOCKER_MANIFEST
        );
    }

    #[test]
    fn h23_no_answer_makes_the_judge_panic_and_what_it_says_is_what_the_body_says() {
        let good = own(media::OCI_INDEX);
        let mut dice = crate::testing::Dice::new(23);
        for _ in 0..20_000 {
            let body = dice.spoil(good.as_bytes());
            let _ = agreed(None, &body);
            let value = json::parse(&body).unwrap_or_default();
            let own = value.get("mediaType").and_then(Value::as_str);
            let told = agreed(Some(media::OCI_MANIFEST), &body);
            assert!(told.is_err() || own.is_none_or(|own| own == media::OCI_MANIFEST));
        }
    }
}
