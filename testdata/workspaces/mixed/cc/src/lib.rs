//! Named like the crate that build scripts compile C with; that is all that anybody looks at.
