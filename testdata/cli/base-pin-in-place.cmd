# A digest in .builder.yaml, beside a lock that does not fit afterwards.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
rbuild base pin --in-place
