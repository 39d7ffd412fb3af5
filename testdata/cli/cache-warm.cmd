# A base with its layer.
served
rbuild cache warm --layers --platform linux/amd64 REGISTRY/team/base:v1
