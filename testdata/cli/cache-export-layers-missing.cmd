# The layer is demanded.
base linux/amd64 r.example/base:1
rbuild cache export --layers bases.tar
