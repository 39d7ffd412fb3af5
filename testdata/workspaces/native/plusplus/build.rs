fn main() {
    println!("cargo::rerun-if-changed=words.cpp");
    cc::Build::new().cpp(true).file("words.cpp").compile("words");
}
