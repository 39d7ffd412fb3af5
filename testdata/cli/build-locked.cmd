# A lock that was made for another configuration.
workspace hello
targets x86_64-unknown-linux-musl
served
config defaultBaseImage: scratch
first base pin
file .builder.yaml defaultBaseImage: REGISTRY/team/base:v1
rbuild build --push=false --locked --platform linux/amd64 --dry-run
