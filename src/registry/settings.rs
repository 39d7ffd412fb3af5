//! How registries are reached: values from the configuration, flags and the environment.
//!
//! Plain values. Nothing is opened here, and nothing is read from the process's own environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// All that a [`super::Registry`] is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// By `host[:port]` as references spell it.
    pub(crate) hosts: BTreeMap<String, HostSettings>,
    /// The file that says so, to be named.
    pub(crate) hosts_file: Option<PathBuf>,
    /// `--insecure-registry`: as if every registry were set insecure.
    pub(crate) insecure: bool,
    /// In the order in which they are asked.
    pub(crate) mirrors: Vec<Mirror>,
    /// Whether the registry itself is never asked for what its mirrors lack.
    pub(crate) mirrors_alone: bool,
    /// For credentials, certificates and proxies.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) home: Option<PathBuf>,
    /// How many blobs travel at once.
    pub(crate) parallel: usize,
}

/// What is set for one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostSettings {
    /// Certificates are not checked, and http is tried where https is not spoken.
    pub(crate) insecure: bool,
    /// PEM, beside the system's.
    pub(crate) ca: Option<PathBuf>,
    /// PEM, for registries that ask for one.
    pub(crate) certificate: Option<PathBuf>,
    /// Of [`HostSettings::certificate`].
    pub(crate) key: Option<PathBuf>,
}

/// Where images of a registry may be pulled from instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// `None` for `*`, any registry.
    pub(crate) registry: Option<String>,
    /// `https://host[:port][/path]`; the path stands before the repository.
    pub(crate) url: String,
}
