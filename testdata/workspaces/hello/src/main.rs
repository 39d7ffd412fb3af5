//! Greets whoever is named, or the world.

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", greeting(&names));
}

fn greeting(names: &[String]) -> String {
    match names {
        [] => "hello, world".to_owned(),
        names => format!("hello, {}", names.join(" and ")),
    }
}
