//! Bases.

pub(crate) mod builtin;
