# Without trust in names.
base linux/amd64 full r.example/base:1
first cache export bases.tar
emptied
rbuild cache import bases.tar
