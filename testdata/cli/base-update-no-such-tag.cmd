# A tag that is gone.
served
config defaultBaseImage: REGISTRY/team/base:v2
rbuild base update
