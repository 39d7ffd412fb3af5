# rustup has no musl target for s390x; the default is glibc's, linked by the cross gcc.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl s390x-unknown-linux-gnu
programs cc s390x-linux-gnu-gcc
config builds: [{libc: musl}]
rbuild doctor --platform linux/s390x
