# Repair needs a network.
base linux/amd64 full r.example/base:1
spoilt LAYER
variable RBUILD_OFFLINE=1
rbuild cache verify --repair
