# One platform has a C compiler, the other has none.
workspace needs-c
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc musl-gcc
rbuild doctor --platform linux/amd64,linux/arm64
