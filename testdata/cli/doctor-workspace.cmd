# Two programs in one cargo call: what one of them needs is chosen for both.
workspace mixed
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc musl-gcc
rbuild doctor --workspace
