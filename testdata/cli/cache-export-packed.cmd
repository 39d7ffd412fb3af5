# A name for a packed tar.
base linux/amd64 full r.example/base:1
rbuild cache export bases.tar.gz
