# Binaries of a package that differ in libc are two cargo calls, and each is told of.
workspace mixed
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc musl-gcc
rbuild doctor --workspace
