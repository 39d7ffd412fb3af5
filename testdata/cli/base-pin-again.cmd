# A lock that says all already.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
rbuild base pin
