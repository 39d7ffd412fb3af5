# The refusal alone: a note about the link of a program that is not built would only stand in its way.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc
config builds: [{libc: gnu}]
rbuild build . --push=false --platform linux/amd64
