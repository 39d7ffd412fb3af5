# What builder.lock names is not pruned, however old it is.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
old 40
rbuild cache prune
