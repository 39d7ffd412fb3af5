# A tag that the cache records, without a network.
base linux/amd64 full r.example/base:1
old 40
config defaultBaseImage: r.example/base:1
rbuild base ls --offline
