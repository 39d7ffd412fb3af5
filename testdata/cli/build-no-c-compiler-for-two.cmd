# The host's own cc serves neither target: both are refused at once, each with its way out.
workspace needs-c
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
programs cc gcc
rbuild build . --push=false --platform linux/amd64,linux/arm64
