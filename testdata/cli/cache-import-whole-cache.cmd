# The root of a cache, and not its img.
base linux/amd64 full r.example/base:1
rbuild cache import ../cache
