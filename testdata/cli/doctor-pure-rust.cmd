# Pure Rust for two platforms: rustup's targets are enough.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild doctor --platform linux/amd64,linux/arm64
