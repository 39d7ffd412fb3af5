# A first lock.
served
config defaultBaseImage: REGISTRY/team/base:v1
rbuild base pin
