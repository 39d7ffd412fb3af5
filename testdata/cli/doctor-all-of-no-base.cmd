# What all means is the base's word, and the base cannot be asked.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
rbuild doctor --offline --base r.example/base:v1 --platform all
