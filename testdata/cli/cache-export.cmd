# One image as a tar.
base linux/amd64 full r.example/base:1
rbuild cache export bases.tar r.example/base:1
