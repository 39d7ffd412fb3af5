# Every target that is missing is named at once, with one command.
workspace hello
targets x86_64-unknown-linux-gnu
programs cc
rbuild build . --push=false --platform linux/amd64,linux/arm64,linux/riscv64,linux/386
