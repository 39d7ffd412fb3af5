//! What an image says about itself: configuration, flags and Cargo.toml joined.

use std::collections::BTreeMap;

use crate::image::Settings;
use crate::plan::request::Request;
use crate::plan::wanted::Wanted;

/// Where `kodata/` goes, for people who come from ko.
pub(crate) const KODATA: &str = "/var/run/ko";

/// The settings of one image; `kodata` tells whether the package has that directory.
pub(crate) fn settings(wanted: &Wanted<'_>, request: &Request, kodata: bool) -> Settings {
    let image = wanted
        .build
        .map(|build| build.image.clone())
        .unwrap_or_default();
    let mut env = image.env;
    if kodata {
        env.entry("KO_DATA_PATH".to_owned())
            .or_insert_with(|| KODATA.to_owned());
    }
    let mut labels = described(wanted);
    labels.extend(image.labels);
    labels.extend(request.labels.clone());
    let mut annotations = image.annotations;
    annotations.extend(request.annotations.clone());
    Settings {
        path: image
            .path
            .unwrap_or_else(|| format!("/app/{}", wanted.candidate.binary)),
        args: image.args,
        env,
        user: request.user.clone().or(image.user),
        working_dir: image.working_dir,
        labels,
        annotations,
        ports: image.ports,
        volumes: image.volumes,
        stop_signal: image.stop_signal,
        created: request.created,
    }
}

/// The labels that Cargo.toml gives (OCI image-spec, annotations.md).
fn described(wanted: &Wanted<'_>) -> BTreeMap<String, String> {
    let package = wanted.candidate.package;
    let fields = [
        ("title", Some(wanted.candidate.binary.to_owned())),
        ("description", package.description.clone()),
        ("version", Some(package.version.clone())),
        ("licenses", package.license.clone()),
        ("source", package.repository.clone()),
        ("url", package.homepage.clone()),
    ];
    let label = |(key, value): (&str, Option<String>)| {
        Some((format!("org.opencontainers.image.{key}"), value?))
    };
    fields.into_iter().filter_map(label).collect()
}
