# The registry says what the lock says.
served
config defaultBaseImage: REGISTRY/team/base:v1
first base pin
rbuild base update
