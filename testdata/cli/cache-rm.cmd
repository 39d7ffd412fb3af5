# A name.
base linux/amd64 full r.example/base:1
old 40
rbuild cache rm r.example/base:1
