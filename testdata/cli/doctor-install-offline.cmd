# Installing needs a network.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
rbuild doctor --offline --install-targets
