# Each platform is asked for alone, so one that the base has stays ready.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
base linux/amd64
rbuild doctor --offline --base BASE --platform linux/amd64,linux/arm64
