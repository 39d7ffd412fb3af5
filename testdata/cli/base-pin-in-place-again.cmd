# Nothing is left to pin.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin --in-place
rbuild base pin --in-place
