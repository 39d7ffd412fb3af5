# Outside of a project: what this machine could do for every platform, and no failure.
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl s390x-unknown-linux-gnu
programs cc musl-gcc
rbuild doctor
