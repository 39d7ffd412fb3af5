//! Machines without a C compiler.
