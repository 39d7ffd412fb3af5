# A limit that cannot be reached.
base linux/amd64 full r.example/base:1
rbuild cache prune --max-used 0
