# A program for glibc, and a base of which the layers are not here: what it has is not known.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc
config builds: [{libc: gnu}]
base linux/amd64
rbuild doctor --offline --base BASE --platform linux/amd64
