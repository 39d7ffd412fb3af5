//! What shares one cargo call, decided before it is known how anything is linked, and then how: once for all binaries of a call.
//!
//! What is chosen for a C compiler or a linker is a variable of the whole call. If each binary chose for itself, one with C code would
//! split the call and every dependency would be compiled twice. Nothing is compiled here; `compile::group` has the last word.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use crate::base::Base;
use crate::base::name::Name;
use crate::build::Tools;
use crate::build::areas::{self, Area};
use crate::build::base_libraries;
use crate::build::refusals;
use crate::build::survey::Bases;
use crate::compile::{self, Job};
use crate::config::{Kindnesses, Libc};
use crate::plan::asked::{Asked, Candidate};
use crate::plan::request::Progress;
use crate::plan::wanted::Wanted;
use crate::platform::{Platform, Platforms};
use crate::toolchain::{
    self, BaseLibraries, CNeed, Chosen, Missing, Question, Site, Target, Toolchain,
};
use crate::workspace::Features;

/// Binaries of one workspace that one cargo call can make.
pub(crate) struct Group<'a> {
    area: &'a Area,
    terms: Terms,
    /// The one that serves the directory, with the variables and flags of the call.
    toolchain: Toolchain,
    pub(crate) wanted: Vec<&'a Wanted<'a>>,
    /// Its call, once it was decided.
    decided: Option<Decided>,
}

/// A call, and what the user should know about how it links.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) job: Job,
    pub(crate) notes: Vec<String>,
}

/// What makes two binaries need two calls.
#[derive(Clone, Debug, PartialEq)]
struct Terms {
    directory: PathBuf,
    profile: String,
    features: Features,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    platforms: Platforms,
    libc: Libc,
    kindnesses: Kindnesses,
    /// Where the base decides about platforms, or its libc is linked against, another base is another call.
    base: Option<Name>,
}

/// What questions about a group are answered from.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) asked: Asked<'a>,
    pub(crate) tools: &'a Tools<'a>,
    pub(crate) bases: &'a Bases,
}

/// As few groups as there can be, in the order of their first binaries.
pub(crate) fn groups<'a>(
    wanted: &'a [(&'a Area, Wanted<'a>)],
    asked: Asked<'a>,
    tools: &Tools<'_>,
) -> Result<Vec<Group<'a>>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (area, one) in wanted {
        let terms = terms(one, area, asked);
        match groups.iter_mut().find(|group| group.takes(area, &terms)) {
            Some(group) => group.wanted.push(one),
            None => groups.push(Group::begin(area, terms, one, tools)?),
        }
    }
    Ok(groups)
}

fn terms(wanted: &Wanted<'_>, area: &Area, asked: Asked<'_>) -> Terms {
    let libc = wanted.build.map(|build| build.libc).unwrap_or_default();
    Terms {
        directory: directory(wanted, area),
        profile: wanted.profile(asked).to_owned(),
        features: wanted.features(asked),
        flags: wanted.flags(asked),
        env: wanted.env(asked).to_vec(),
        platforms: wanted.platforms.clone(),
        libc,
        kindnesses: wanted
            .build
            .map(|build| build.kindnesses)
            .unwrap_or_default(),
        base: (libc == Libc::Gnu || wanted.platforms == Platforms::All)
            .then(|| wanted.base.clone()),
    }
}

/// The same groups once it is known what `all` means: those that turn out to want the same are one.
pub(crate) fn settled<'a>(groups: Vec<Group<'a>>, bases: &Bases) -> Vec<Group<'a>> {
    let mut settled: Vec<Group<'a>> = Vec::new();
    for group in groups {
        let group = group.settle(bases);
        match settled
            .iter_mut()
            .find(|other| other.takes(group.area, &group.terms))
        {
            Some(other) => other.join(group),
            None => settled.push(group),
        }
    }
    settled
}

/// Where cargo runs for a build: the `dir` of the configuration if it lies in the workspace.
fn directory(wanted: &Wanted<'_>, area: &Area) -> PathBuf {
    let configured = wanted.build.map(|build| &build.dir);
    let within = configured.filter(|dir| dir.starts_with(&area.workspace.root));
    within.unwrap_or(&area.directory).clone()
}

impl<'a> Group<'a> {
    fn begin(
        area: &'a Area,
        terms: Terms,
        first: &'a Wanted<'a>,
        tools: &Tools<'_>,
    ) -> Result<Group<'a>> {
        let toolchain = match terms.directory == area.directory {
            true => area.toolchain.clone(),
            false => areas::probe(&area.cargo, &terms.directory, tools)?,
        };
        Ok(Group {
            area,
            toolchain: toolchain.for_build(&terms.env, &terms.flags)?,
            terms,
            wanted: vec![first],
            decided: None,
        })
    }

    fn takes(&self, area: &Area, terms: &Terms) -> bool {
        std::ptr::eq(self.area, area) && self.terms == *terms
    }

    fn settle(mut self, bases: &Bases) -> Group<'a> {
        let base = self
            .wanted
            .first()
            .and_then(|one| bases.get(&one.base_key()));
        let base = base.filter(|_| self.terms.platforms == Platforms::All);
        if let Some(base) = base {
            let platforms = base.images.iter().map(|image| image.platform.clone());
            self.terms.platforms = Platforms::these(platforms.collect());
            self.terms.base = self.terms.base.filter(|_| self.terms.libc == Libc::Gnu);
        }
        self
    }

    fn join(&mut self, other: Group<'a>) {
        self.wanted.extend(other.wanted);
        self.decided = None;
    }

    /// None yet where `all` of a base are wanted that was not asked.
    pub(crate) fn platforms(&self) -> &[Platform] {
        self.terms.platforms.named()
    }

    /// The rust targets that are not installed. Refused is a platform that has none.
    pub(crate) fn missing(&self) -> Result<Option<Missing>> {
        toolchain::missing(&self.toolchain, self.platforms(), self.terms.libc)
    }

    /// As [`Group::missing`], platform by platform; one that has no target at all is passed over.
    pub(crate) fn missing_of_each(&self) -> impl Iterator<Item = Missing> {
        let each = self.platforms().iter();
        each.filter_map(|platform| self.missing_of(platform))
    }

    /// The target of one of its platforms, if it is not installed.
    pub(crate) fn missing_of(&self, platform: &Platform) -> Option<Missing> {
        let alone = std::slice::from_ref(platform);
        toolchain::missing(&self.toolchain, alone, self.terms.libc).ok()?
    }

    /// How all of it is linked for one of its platforms.
    pub(crate) fn chosen(&self, platform: &Platform, ground: Ground<'_>) -> Result<Chosen> {
        let target = toolchain::target(&self.toolchain, platform, self.terms.libc)?;
        let workspace = &self.area.workspace;
        let question = Question {
            workspace,
            packages: self.packages(),
            features: &self.terms.features,
            memory: ground.tools.store,
        };
        let needs = toolchain::c_needs(&self.toolchain, &question, &target)?;
        let base = self.base_libraries((&target, &needs), ground)?;
        let site = Site {
            root: &workspace.root,
            kits: ground.tools.store,
            sysroots: &ground.asked.config.sysroots,
            base: &base,
            packages: &self.directories(),
            kindnesses: self.terms.kindnesses,
        };
        toolchain::link(&self.toolchain, &target, &needs, site)
    }

    /// As [`Group::chosen`] for all of its platforms; refusals of several are one.
    fn chosen_for_all(&self, ground: Ground<'_>) -> Result<Vec<Chosen>> {
        let (mut all, mut refused) = (Vec::new(), Vec::new());
        for platform in self.platforms() {
            match self.chosen(platform, ground) {
                Err(error) if refusals::is_one(&error) => refused.push((platform, error)),
                chosen => all.push(chosen?),
            }
        }
        refusals::together(refused).map_or(Ok(all), Err)
    }

    /// What the base has to link against, where that is wanted.
    fn base_libraries(
        &self,
        (target, needs): (&Target, &[CNeed]),
        ground: Ground<'_>,
    ) -> Result<BaseLibraries> {
        match self.base(ground) {
            Some(base) if toolchain::takes_base(&self.toolchain, target, needs)? => {
                base_libraries::of(base, &target.platform, ground.tools)
            }
            _ => Ok(BaseLibraries::NotAsked),
        }
    }

    /// The ids of the packages, each once.
    fn packages(&self) -> Vec<String> {
        let ids = self.candidates().map(|one| one.package.id.clone());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Where the packages lie, each once.
    fn directories(&self) -> Vec<PathBuf> {
        let all = self.candidates().map(|one| one.package.directory.clone());
        let each: BTreeSet<PathBuf> = all.collect();
        each.into_iter().collect()
    }

    /// The base that its binaries go on, where they are linked against it.
    fn base<'b>(&self, ground: Ground<'b>) -> Option<&'b Base> {
        let first = self.wanted.first()?;
        self.terms.base.as_ref()?;
        ground.bases.get(&first.base_key())
    }

    /// Decides the call where no base has a say in it: a refusal should not wait for a registry.
    pub(crate) fn prepare(&mut self, asked: Asked<'_>, tools: &Tools<'_>) -> Result<()> {
        if self.terms.base.is_none() {
            let bases = &Bases::new();
            self.decided = Some(self.decide(Ground {
                asked,
                tools,
                bases,
            })?);
        }
        Ok(())
    }

    /// The call, with every link of it.
    pub(crate) fn decided(&self, ground: Ground<'_>) -> Result<Decided> {
        let known = self.decided.clone();
        known.map_or_else(|| self.decide(ground), Ok)
    }

    fn decide(&self, ground: Ground<'_>) -> Result<Decided> {
        let Terms {
            directory,
            profile,
            features,
            flags,
            env,
            ..
        } = self.terms.clone();
        let mut env = env;
        env.extend(quieter(ground.asked.request.progress));
        let (mut links, mut notes) = (Vec::new(), Vec::new());
        for chosen in self.chosen_for_all(ground)? {
            links.push(chosen.link);
            notes.extend(chosen.notes);
        }
        let job = Job {
            links,
            cargo: self.area.cargo.clone(),
            directory,
            target_directory: self.area.workspace.target_directory.clone(),
            profile,
            features,
            flags,
            env,
            wanted: self.binaries(),
        };
        Ok(Decided { job, notes })
    }

    fn binaries(&self) -> Vec<compile::Wanted> {
        let one = |one: Candidate<'_>| compile::Wanted::new(one.package, one.binary);
        self.candidates().map(one).collect()
    }

    /// Everything that its cargo call compiles; a binary of two images comes twice.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate<'a>> {
        self.wanted.iter().flat_map(|one| one.candidates())
    }
}

/// How cargo is told what to show; variables, because they change nothing that is compiled.
fn quieter(progress: Progress) -> Option<(String, String)> {
    let (name, value) = match progress {
        Progress::Auto => return None,
        Progress::Plain => ("CARGO_TERM_PROGRESS_WHEN", "never"),
        Progress::Quiet => ("CARGO_TERM_QUIET", "true"),
    };
    Some((name.to_owned(), value.to_owned()))
}
