//! `cargo rbuild …`: the same program, without the word that cargo puts before the arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "rbuild") {
        arguments.remove(1);
    }
    rbuild::run(arguments)
}
