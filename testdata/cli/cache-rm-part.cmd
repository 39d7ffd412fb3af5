# A blob that an image needs.
base linux/amd64 full r.example/base:1
rbuild cache rm LAYER
