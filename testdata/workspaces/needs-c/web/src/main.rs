//! A program whose graph looks like that of one with TLS; none of its crates is the one that it is named for.

fn main() {
    println!("{}", rustls::digest());
}
