# rustup is run, and fails.
workspace hello
targets x86_64-unknown-linux-gnu
programs cc rustup
rbuild doctor --install-targets --platform linux/arm64,linux/386
