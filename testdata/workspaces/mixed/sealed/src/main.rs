fn main() {
    println!("sealed");
}
