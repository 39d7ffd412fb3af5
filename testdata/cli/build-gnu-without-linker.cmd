# glibc for another architecture needs a linker that knows its libraries.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-unknown-linux-gnu
programs cc
config builds: [{libc: gnu}]
base linux/arm64
rbuild build . --push=false --offline --base BASE --platform linux/arm64
