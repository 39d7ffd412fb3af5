# A slip in a feature is said before anything is asked of cargo build.
workspace hello
targets x86_64-unknown-linux-musl
rbuild doctor -F tsl --platform linux/amd64
