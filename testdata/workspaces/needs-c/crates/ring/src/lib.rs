//! Stands for a crate with C code.

#[link(name = "digest", kind = "static")]
extern "C" {
    #[link_name = "digest"]
    fn c_digest() -> i32;
}

pub fn digest() -> i32 {
    // SAFETY: the function takes nothing and touches nothing.
    unsafe { c_digest() }
}
