# A name goes, and what builder.lock names stays.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
old 40
rbuild cache rm REGISTRY/team/base:v1
