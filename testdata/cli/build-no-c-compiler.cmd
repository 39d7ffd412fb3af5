# A crate brings C code, and the machine has no C compiler at all.
workspace needs-c
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
rbuild build . --push=false --platform linux/arm64
