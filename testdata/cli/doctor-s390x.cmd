# rustup has no musl target for s390x: static glibc, by the cross gcc.
workspace hello
targets x86_64-unknown-linux-gnu s390x-unknown-linux-gnu
programs cc s390x-linux-gnu-gcc
rbuild doctor --platform linux/s390x
