//! Hashes nothing at all, and says with whose code.

fn main() {
    let digest = openssl::sha::sha256(b"");
    assert_eq!(&digest[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    println!("{}", openssl::version::version());
}
