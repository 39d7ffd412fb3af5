# A base of the configuration, in builder.lock too, as metadata alone.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
old 3
rbuild cache ls
