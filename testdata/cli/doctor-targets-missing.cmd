# What is missing for each, and what to do about all.
workspace hello
targets x86_64-unknown-linux-gnu
programs cc
rbuild doctor --platform linux/amd64,linux/arm64,linux/riscv64
