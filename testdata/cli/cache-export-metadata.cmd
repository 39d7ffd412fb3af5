# An image without its layer travels, and that is said.
base linux/amd64 r.example/base:1
rbuild cache export bases.tar
