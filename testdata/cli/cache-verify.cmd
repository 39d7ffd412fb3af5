# A sound cache.
base linux/amd64 full r.example/base:1
rbuild cache verify
