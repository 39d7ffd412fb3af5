# One of two.
served
rbuild cache warm --platform linux/amd64 REGISTRY/team/base:v1 REGISTRY/team/base:v2 scratch
