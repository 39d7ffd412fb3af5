# The registry has what is damaged.
served
first cache warm --layers --platform linux/amd64 REGISTRY/team/base:v1
spoilt LAYER
rbuild cache verify --repair
