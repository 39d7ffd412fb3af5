# Without a project nothing needs the compiler that is configured and not there.
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc zig
variable CC_aarch64_unknown_linux_musl=/nonexist
rbuild doctor --platform linux/amd64,linux/arm64
