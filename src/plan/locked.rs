//! What the configuration names as bases, and what builder.lock says of them: whether it fits, and what follows if it does not.
//!
//! Pure: the lock was read before, and nobody is asked.

use std::path::Path;

use anyhow::Result;

use crate::base::lock::{FILE, Lock};
use crate::base::name::Name;
use crate::config::Config;
use crate::fault::Fault;
use crate::plan::asked::Asked;
use crate::plan::wanted::Wanted;
use crate::reference::Reference;

/// A base by the key that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configured {
    /// `defaultBaseImage`, or `baseImageOverrides.KEY`.
    pub(crate) key: String,
    pub(crate) name: Name,
}

/// The bases of a configuration: the default one, over which `default` stands, then the overrides in the order of their keys. What is
/// relative is taken from `directory` where there is no file.
pub(crate) fn configured(
    config: &Config,
    default: Option<Name>,
    directory: &Path,
) -> Result<Vec<Configured>> {
    let beside = config.file.as_ref().and_then(|file| file.parent());
    let parse = |text: &String| Name::parse(text, beside.unwrap_or(directory));
    let written = config.default_base_image.as_ref().map(parse).transpose()?;
    let mut all = vec![Configured {
        key: "defaultBaseImage".to_owned(),
        name: default.or(written).unwrap_or(Name::Static),
    }];
    for (key, text) in &config.base_image_overrides {
        all.push(Configured {
            key: format!("baseImageOverrides.{key}"),
            name: parse(text)?,
        });
    }
    Ok(all)
}

/// Holds a lock against what is wanted. What does not fit is refused where cargo's lock may not change either; else it is said, and
/// such a base is resolved as if there were no lock.
pub(crate) fn look(
    asked: Asked<'_>,
    wanted: &[&Wanted<'_>],
    lock: Option<&Lock>,
) -> Result<Vec<String>> {
    let reasons = lock.map_or_else(Vec::new, |lock| reasons(lock, asked.config, wanted));
    let message = format!("{FILE} does not fit the configuration");
    match (reasons.is_empty(), strict(asked, wanted)) {
        (true, _) => Ok(Vec::new()),
        (false, None) => Ok(vec![format!(
            "{message}: {}; `rbuild base pin` makes it fit",
            reasons.join("; ")
        )]),
        (false, Some(flag)) => {
            let fault = Fault::refused(format!("{message}, and `{flag}` was given"));
            let fault = reasons.into_iter().fold(fault, Fault::because);
            let hint = format!("`rbuild base pin` makes it fit; keep {FILE} with the sources");
            Err(fault.hint(hint).into())
        }
    }
}

fn reasons(lock: &Lock, config: &Config, wanted: &[&Wanted<'_>]) -> Vec<String> {
    let changed = "default base, overrides or platforms are not those that it was made for";
    let mut reasons = Vec::new();
    if !lock.fits(config) {
        reasons.push(changed.to_owned());
    }
    for name in wanted.iter().filter_map(|one| unpinned(&one.base, lock)) {
        let reason = format!("it does not hold `{name}`");
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// A name that neither holds a digest nor stands in the lock.
fn unpinned<'a>(name: &'a Name, lock: &Lock) -> Option<&'a Reference> {
    match name {
        Name::Reference(name) => {
            Some(name).filter(|name| name.digest.is_none() && lock.base(name).is_none())
        }
        _ => None,
    }
}

/// The flag that forbids a lock to be passed over, wherever it was given.
fn strict(asked: Asked<'_>, wanted: &[&Wanted<'_>]) -> Option<&'static str> {
    let typed = asked.request.cargo.resolution.iter().cloned();
    let configured = wanted.iter().flat_map(|one| one.flags(asked));
    let flags: Vec<String> = typed.chain(configured).collect();
    ["--locked", "--frozen"]
        .into_iter()
        .find(|flag| flags.iter().any(|one| one == flag))
}
