# The cross gcc on PATH is for glibc. It compiles for musl and then fails to link, so it is never taken.
workspace needs-c
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc aarch64-linux-gnu-gcc
rbuild build . --push=false --platform linux/arm64
