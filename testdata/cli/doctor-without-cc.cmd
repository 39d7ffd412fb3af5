# Nothing is on PATH but cargo and rustc.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
rbuild doctor --platform linux/arm64
