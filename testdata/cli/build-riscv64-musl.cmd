# rustup knows the target, and it is not installed.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild build . --push=false --platform linux/riscv64
