# Each platform could be linked, and the base has no loader for it.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc
config builds: [{libc: gnu}]
rbuild doctor --platform linux/amd64
