//! Prints what the procedural macro and the build script made.

fn main() {
    println!("{} from {}", shout::shout!(hello), env!("BUILT_FOR"));
}
