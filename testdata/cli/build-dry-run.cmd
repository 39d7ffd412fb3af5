# Pure Rust for two platforms needs rustup's targets and nothing else.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild build . --push=false --dry-run --platform linux/amd64,linux/arm64
