# Every kind of base, with a network.
served
config defaultBaseImage: REGISTRY/team/base:v1
config baseImageOverrides: {built: scratch, pinned: PIN}
rbuild base ls
