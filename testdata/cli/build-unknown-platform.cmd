# No row of the table.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
rbuild build . --push=false --platform linux/mips64
