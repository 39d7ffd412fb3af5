# A tag that was never asked for, without a network.
base linux/amd64 full r.example/other:1
config defaultBaseImage: r.example/base:1
rbuild base ls --offline
