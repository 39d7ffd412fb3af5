//! One of two programs in a virtual workspace.

fn main() {
    println!("right");
}
