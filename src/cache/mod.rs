//! What `rbuild cache …` does: look at the stores of the cache, bring images in, take them away.
//!
//! `list.rs` and a plain `verify.rs` change nothing. Nothing is taken away but by `prune.rs` and `remove.rs`, and no blob that a root needs.
//! `warm.rs` and `import.rs` bring images in.

pub(crate) mod entry;
pub(crate) mod export;
pub(crate) mod import;
mod list;
mod pick;
mod prune;
mod reach;
mod remove;
mod roots;
mod stays;
mod taken;
mod unpack;
mod verify;
pub(crate) mod warm;

pub(crate) use list::{Listed, Project, built_on, list};
pub(crate) use prune::{Limits, MinFree, prune};
pub(crate) use remove::remove;
pub(crate) use taken::{Gone, Part, Stays, Taken};
pub(crate) use verify::{Damaged, Verified, repair, verify};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_carry;
#[cfg(test)]
mod tests_prune;
