//! Which images were asked for: each selected binary with its entry of the configuration, its base and its platforms.
//!
//! Pure: the same request, configuration and workspaces give the same list or the same refusal.

use anyhow::Result;

use crate::base::name::Name;
use crate::config::Build;
use crate::plan::asked::{Asked, Candidate};
use crate::plan::{BaseKey, further};
use crate::platform::{Platform, Platforms};
use crate::workspace::Features;

/// One image to be.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) candidate: Candidate<'a>,
    /// More binaries for the same image, sorted by name.
    pub(crate) further: Vec<Candidate<'a>>,
    pub(crate) build: Option<&'a Build>,
    pub(crate) base: Name,
    /// Named ones, or all of the base's.
    pub(crate) platforms: Platforms,
}

/// Joins a selected binary with what the request and the configuration say of it.
pub(crate) fn wanted<'a>(
    candidate: Candidate<'a>,
    asked: Asked<'a>,
    host: &Platform,
) -> Result<Wanted<'a>> {
    let build = asked.build(candidate)?;
    Ok(Wanted {
        candidate,
        further: further::candidates(candidate, build, &asked.features(build))?,
        build,
        base: asked.base(candidate)?,
        platforms: asked.platforms(host),
    })
}

/// What cargo is told about this binary: the request's words, then the configuration's.
impl<'a> Wanted<'a> {
    /// Everything that is compiled for it.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate<'a>> {
        [self.candidate]
            .into_iter()
            .chain(self.further.iter().copied())
    }

    pub(crate) fn base_key(&self) -> BaseKey {
        (self.base.clone(), self.platforms.clone())
    }

    pub(crate) fn features(&self, asked: Asked<'_>) -> Features {
        asked.features(self.build)
    }

    /// A build's own list replaces the default one, also when it is empty.
    pub(crate) fn env(&self, asked: Asked<'a>) -> &'a [(String, String)] {
        let own = self.build.and_then(|build| build.env.as_ref());
        own.unwrap_or(&asked.config.default_env)
    }

    /// As [`Wanted::env`]; what stands after `--` comes last.
    pub(crate) fn flags(&self, asked: Asked<'_>) -> Vec<String> {
        let own = self.build.and_then(|build| build.flags.as_ref());
        let flags = own.unwrap_or(&asked.config.default_flags);
        let further = &asked.request.cargo.further;
        flags.iter().chain(further).cloned().collect()
    }

    pub(crate) fn profile(&self, asked: Asked<'a>) -> &'a str {
        let own = self.build.and_then(|build| build.profile.as_deref());
        let typed = asked.request.cargo.profile.as_deref();
        typed.or(own).unwrap_or("release")
    }
}
