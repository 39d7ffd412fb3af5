# rustup has no musl target for s390x.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl s390x-unknown-linux-gnu
config builds: [{libc: musl}]
rbuild build . --push=false --platform linux/s390x
