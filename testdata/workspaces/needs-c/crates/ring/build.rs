//! Compiles one C file, as the crate of this name does with many.

fn main() {
    cc::compile("digest.c", "digest");
}
