# A name that cannot be replaced without changing what else refers to it.
served
config defaultBaseImage: &base REGISTRY/team/base:v1
rbuild base pin --in-place
