//! Has words counted in C++.

unsafe extern "C" {
    fn words(text: *const std::ffi::c_char) -> std::ffi::c_int;
}

fn main() {
    // SAFETY: the text ends with zero and is only read.
    let count = unsafe { words(c"every platform from one machine".as_ptr()) };
    println!("C++ counts {count}");
}
