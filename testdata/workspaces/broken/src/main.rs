//! Does not compile, on purpose.

fn main() {
    let number: u32 = "not a number";
    println!("{number}");
}
