//! Stands for a library that brings in a crate with C code.

pub fn digest() -> i32 {
    ring::digest()
}
