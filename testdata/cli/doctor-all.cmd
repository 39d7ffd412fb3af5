# All that the built-in base offers: ready is what has its target, and one command mends the others.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild doctor --platform all
