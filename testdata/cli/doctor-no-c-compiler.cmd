# Two platforms lack a C compiler, each in its own way; both are told.
workspace needs-c
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc aarch64-linux-gnu-gcc
rbuild doctor -p web --platform linux/amd64,linux/arm64
