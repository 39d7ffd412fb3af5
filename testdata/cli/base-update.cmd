# A lock that holds another base.
served
config defaultBaseImage: scratch
first base pin
file .builder.yaml defaultBaseImage: REGISTRY/team/base:v1
rbuild base update
