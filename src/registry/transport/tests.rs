//! The transport against registries that misbehave.
