# One blob holds other bytes.
base linux/amd64 full r.example/base:1
spoilt LAYER
rbuild cache verify
