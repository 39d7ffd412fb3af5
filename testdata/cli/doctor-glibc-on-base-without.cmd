# A program for glibc, and a base that is known to have none.
workspace hello
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc
config builds: [{libc: gnu}]
base linux/amd64 full
rbuild doctor --offline --base BASE --platform linux/amd64
