//! The test registry does what it should, so that other tests may rest on it.

use crate::test_registry::{Action, Rule, TestRegistry};
