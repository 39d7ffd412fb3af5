//! Which features are switched on, in cargo's spelling and by cargo's rules.
//!
//! Only features of one package are followed: enough to know whether a binary's `required-features` are met. What features do to
//! dependencies is cargo's business.

use std::collections::BTreeSet;

use super::Package;

/// `-F`, `--all-features` and `--no-default-features`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// As typed, one each: `tls`, or `package/tls`.
    pub(crate) names: Vec<String>,
    pub(crate) all: bool,
    pub(crate) no_default: bool,
}

impl Features {
    /// The flags that say the same to cargo.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.names.is_empty() {
            flags.push(format!("--features={}", self.names.join(",")));
        }
        if self.all {
            flags.push("--all-features".to_owned());
        }
        if self.no_default {
            flags.push("--no-default-features".to_owned());
        }
        flags
    }

    /// Those of `required` that are off in `package`.
    pub(crate) fn missing<'a>(&self, package: &Package, required: &'a [String]) -> Vec<&'a str> {
        let on = self.enabled(package);
        let off = |name: &&String| !on.contains(*name);
        required.iter().filter(off).map(String::as_str).collect()
    }

    fn enabled(&self, package: &Package) -> BTreeSet<String> {
        let mut on = BTreeSet::new();
        let mut next = self.asked(package);
        while let Some(name) = next.pop() {
            let implied = package.features.get(&name).cloned().unwrap_or_default();
            if on.insert(name) {
                next.extend(implied);
            }
        }
        on
    }

    fn asked(&self, package: &Package) -> Vec<String> {
        if self.all {
            return package.features.keys().cloned().collect();
        }
        let own = |name: &String| match name.split_once('/') {
            Some((owner, feature)) if owner == package.name => feature.to_owned(),
            _ => name.clone(),
        };
        let default = (!self.no_default).then(|| "default".to_owned());
        self.names.iter().map(own).chain(default).collect()
    }
}
