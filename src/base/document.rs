//! Manifests, indexes and configs of others, read strictly.
//!
//! A document is taken for what it is only if everything about it agrees: no document is both manifest and index
//! (CVE-2021-41190), its own media type equals the one it was announced with, counts match. Nothing is re-serialised.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::digest::Descriptor;
use crate::fault::Fault;
use crate::json;
use crate::media::{self, Family};
use crate::words::counted;

/// More layers than any runtime can stack.
const MOST_LAYERS: usize = 1_000;
/// More images than any index holds.
const MOST_CHILDREN: usize = 1_000;

/// A manifest or an index, as found.
#[derive(Debug)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

/// What an image manifest says.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) family: Family,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) annotations: Map<String, Value>,
}

/// Reads a manifest or index; `announced` is the media type by which it was pointed at, if it was.
pub(crate) fn read(bytes: &[u8], announced: Option<&str>) -> Result<Document> {
    let value =
        json::parse(bytes).map_err(|error| damaged(format!("it is not strict JSON: {error}")))?;
    let Value::Object(object) = value else {
        return Err(damaged("it is not a JSON object").into());
    };
    let has = |key: &str| object.contains_key(key);
    if has("manifests") && (has("layers") || has("config")) {
        return Err(damaged("it is ambiguous: a manifest and an index at once").into());
    }
    let media_type = media_type(&object, announced)?;
    if object.get("schemaVersion") != Some(&Value::from(2)) {
        return Err(damaged("its schemaVersion is not 2").into());
    }
    let family = Family::of(&media_type).ok_or_else(|| unsupported(&media_type))?;
    if media::is_index(&media_type) {
        index(object)
    } else {
        manifest(object, family)
    }
}

/// The media type of a document that has been read: its own, else that of its shape.
pub(crate) fn media_type_of(bytes: &[u8]) -> Result<String> {
    let value =
        json::parse(bytes).map_err(|error| damaged(format!("it is not strict JSON: {error}")))?;
    let object = value.as_object();
    media_type(
        object.ok_or_else(|| damaged("it is not a JSON object"))?,
        None,
    )
}

/// The one media type that the document, its announcement and its shape agree on.
fn media_type(object: &Map<String, Value>, announced: Option<&str>) -> Result<String> {
    let own = match object.get("mediaType") {
        None => None,
        Some(own) => Some(
            own.as_str()
                .ok_or_else(|| damaged("its mediaType is not a string"))?,
        ),
    };
    if let (Some(own), Some(announced)) = (own, announced)
        && own != announced
    {
        return Err(damaged(format!(
            "it says that it is `{own}` but was announced as `{announced}`"
        ))
        .into());
    }
    if object.get("schemaVersion") == Some(&Value::from(1))
        || own.or(announced).is_some_and(media::is_schema1)
    {
        return Err(unsupported(own.unwrap_or("Docker schema 1")).into());
    }
    Ok(own
        .or(announced)
        .map_or_else(|| by_shape(object), str::to_owned))
}

/// OCI documents may leave their media type out; then the shape and the config's type decide.
fn by_shape(object: &Map<String, Value>) -> String {
    let config = object
        .get("config")
        .and_then(|config| config.get("mediaType"))
        .and_then(Value::as_str);
    let family = if config == Some(media::DOCKER_CONFIG) {
        Family::Docker
    } else {
        Family::Oci
    };
    let shape = if object.contains_key("manifests") {
        family.index()
    } else {
        family.manifest()
    };
    shape.to_owned()
}

fn index(mut object: Map<String, Value>) -> Result<Document> {
    let children = descriptors(&mut object, "manifests")?;
    if children.len() > MOST_CHILDREN {
        return Err(Fault::new(
            crate::fault::Kind::Disk,
            format!("the index lists more than {MOST_CHILDREN} images"),
        )
        .into());
    }
    Ok(Document::Index(children))
}

fn manifest(mut object: Map<String, Value>, family: Family) -> Result<Document> {
    let config = object
        .remove("config")
        .ok_or_else(|| damaged("it has no config"))?;
    let config =
        Descriptor::from_value(config).map_err(|error| damaged(format!("its config: {error}")))?;
    let layers = descriptors(&mut object, "layers")?;
    if layers.len() > MOST_LAYERS {
        return Err(Fault::new(
            crate::fault::Kind::Disk,
            format!("the image has more than {MOST_LAYERS} layers"),
        )
        .into());
    }
    let annotations = match object.remove("annotations") {
        Some(Value::Object(annotations)) => annotations,
        _ => Map::new(),
    };
    Ok(Document::Manifest(Manifest {
        family,
        config,
        layers,
        annotations,
    }))
}

fn descriptors(object: &mut Map<String, Value>, key: &str) -> Result<Vec<Descriptor>> {
    let list = object.remove(key);
    let list = list.ok_or_else(|| damaged(format!("it has no {key}")))?;
    let Value::Array(list) = list else {
        return Err(damaged(format!("its {key} are not a list")).into());
    };
    let list: Result<_, String> = list.into_iter().map(Descriptor::from_value).collect();
    Ok(list.map_err(|error| damaged(format!("its {key}: {error}")))?)
}

/// Reads an image config and holds its layer count against the manifest's.
pub(crate) fn config(bytes: &[u8], layers: usize) -> Result<Value> {
    let value =
        json::parse(bytes).map_err(|error| damaged(format!("it is not strict JSON: {error}")))?;
    let diff_ids = value
        .pointer("/rootfs/diff_ids")
        .map_or(Some(0), |ids| match ids {
            Value::Null => Some(0),
            Value::Array(ids) => ids.iter().all(Value::is_string).then_some(ids.len()),
            _ => None,
        });
    let count = diff_ids.ok_or_else(|| damaged("its rootfs.diff_ids is not a list of digests"))?;
    if !value.is_object() || count != layers {
        return Err(damaged(format!(
            "it names {} but the manifest has {}",
            counted(count, "diff ID"),
            counted(layers, "layer")
        )))
        .context("bad image config");
    }
    Ok(value)
}

fn damaged(why: impl Into<String>) -> Fault {
    Fault::integrity(why.into())
}

fn unsupported(media_type: &str) -> Fault {
    let fault = Fault::refused(format!(
        "`{media_type}` is not an image that rbuild can build on"
    ));
    if media::is_schema1(media_type) || media_type.contains("schema 1") {
        return fault.hint("convert it once with `skopeo copy --format oci`, or choose a base that is not a decade old");
    }
    fault.hint("a base is an OCI image or index, or a Docker schema 2 manifest or list")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::Digest;
    use crate::fault::Kind;

    fn pointer(media_type: &str) -> Value {
        Descriptor::of(media_type, b"x").to_value()
    }

    fn manifest_json() -> Value {
        json!({"schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": pointer(media::OCI_CONFIG), "layers": [pointer(media::OCI_LAYER)]})
    }

    fn refused(value: &Value, announced: Option<&str>) -> (Kind, String) {
        let error = read(value.to_string().as_bytes(), announced).expect_err("refused");
        let text = format!("{error:#}");
        (error.downcast::<Fault>().expect("a fault").kind, text)
    }

    #[test]
    fn an_image_and_an_index_are_read_with_their_family() {
        let bytes = manifest_json().to_string();
        let Ok(Document::Manifest(manifest)) = read(bytes.as_bytes(), None) else {
            panic!("a manifest")
        };
        assert_eq!((manifest.family, manifest.layers.len()), (Family::Oci, 1));
        let index = json!({"schemaVersion": 2, "mediaType": media::DOCKER_LIST, "manifests": [pointer(media::DOCKER_MANIFEST)]});
        let read = read(index.to_string().as_bytes(), Some(media::DOCKER_LIST));
        assert!(matches!(read, Ok(Document::Index(children)) if children.len() == 1));
    }

    #[test]
    fn a_document_without_a_media_type_is_known_by_its_shape() {
        let bare =
            json!({"schemaVersion": 2, "config": pointer(media::DOCKER_CONFIG), "layers": []});
        let Ok(Document::Manifest(manifest)) = read(bare.to_string().as_bytes(), None) else {
            panic!("a manifest")
        };
        assert_eq!(manifest.family, Family::Docker);
        let bare = json!({"schemaVersion": 2, "manifests": []});
        assert!(matches!(
            read(bare.to_string().as_bytes(), None),
            Ok(Document::Index(_))
        ));
    }

    #[test]
    fn h04_a_document_that_is_both_manifest_and_index_is_ambiguous() {
        let mut both = manifest_json();
        both["manifests"] = json!([]);
        let (kind, text) = refused(&both, None);
        assert_eq!(kind, Kind::Integrity);
        assert!(text.contains("ambiguous"), "{text}");
        let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [], "layers": []});
        assert_eq!(refused(&index, None).0, Kind::Integrity);
    }

    #[test]
    fn h05_a_document_announced_as_something_else_is_refused() {
        for announced in [media::OCI_INDEX, media::DOCKER_MANIFEST, "text/plain"] {
            assert_eq!(
                refused(&manifest_json(), Some(announced)).0,
                Kind::Integrity,
                "{announced}"
            );
        }
    }

    #[test]
    fn h06_what_is_not_strict_json_is_refused() {
        let bytes = manifest_json().to_string().replace(
            "\"schemaVersion\":2",
            "\"schemaVersion\":2,\"schemaVersion\":2",
        );
        let error = read(bytes.as_bytes(), None).expect_err("a duplicate key");
        assert!(
            error.to_string().contains("duplicate key `schemaVersion`"),
            "{error}"
        );
    }

    #[test]
    fn h07_schema_1_and_artifacts_are_named_and_refused() {
        let (kind, text) = refused(
            &json!({"schemaVersion": 1, "name": "x", "fsLayers": []}),
            None,
        );
        assert_eq!(kind, Kind::Refused);
        assert!(text.contains("schema 1"), "{text}");
        let artifact = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []});
        assert_eq!(refused(&artifact, None).0, Kind::Refused);
    }

    #[test]
    fn h11_an_index_of_a_hundred_thousand_children_is_over_the_limit() {
        let child = pointer(media::OCI_MANIFEST);
        let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": vec![child; 100_000]});
        assert_eq!(refused(&index, None).0, Kind::Disk);
    }

    #[test]
    fn h14_a_config_must_name_as_many_diff_ids_as_there_are_layers() {
        let good = json!({"rootfs": {"type": "layers", "diff_ids": [Digest::of(b"").to_string()]}, "x": {"y": 1}});
        assert_eq!(config(good.to_string().as_bytes(), 1).expect("equal"), good);
        assert!(config(good.to_string().as_bytes(), 2).is_err());
        assert!(config(br#"{"rootfs":{"diff_ids":null}}"#, 0).is_ok());
        assert!(config(br#"{"rootfs":{"diff_ids":[1]}}"#, 1).is_err());
        assert!(config(b"[]", 0).is_err());
    }

    #[test]
    fn h23_no_document_makes_the_reader_panic() {
        let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [pointer(media::OCI_MANIFEST)]});
        let of_base = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"").to_string()]}});
        let mut dice = crate::testing::Dice::new(13);
        for good in [manifest_json(), index, of_base] {
            let good = good.to_string();
            for _ in 0..5_000 {
                let bytes = dice.spoil(good.as_bytes());
                let _ = read(&bytes, None);
                let _ = read(&bytes, Some(media::OCI_INDEX));
                let _ = config(&bytes, 1);
            }
        }
    }
}
