# A name with a slip.
base linux/amd64 full r.example/base:1
rbuild cache rm r.example/base:2
