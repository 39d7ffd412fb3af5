//! Compresses a text with zstd and reads it back.

fn main() {
    let text = "rbuild ".repeat(1_000);
    let small = zstd::encode_all(text.as_bytes(), 3).expect("in memory");
    let back = zstd::decode_all(small.as_slice()).expect("in memory");
    assert!(back == text.as_bytes() && small.len() < 100);
    println!("zstd {}", zstd::zstd_safe::version_string());
}
