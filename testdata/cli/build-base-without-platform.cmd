# The base has one platform, and another was asked for.
workspace hello
programs cc
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
base linux/amd64
rbuild build . --push=false --offline --base BASE --platform linux/amd64,linux/arm64
