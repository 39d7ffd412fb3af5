//! A program that shares its image.

fn main() {
    println!("migrate");
}
