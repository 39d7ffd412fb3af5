# Installing needs a network.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild doctor --offline --install-targets
