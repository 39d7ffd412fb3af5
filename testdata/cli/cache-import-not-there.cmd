# A slip in the name.
rbuild cache import bases.tar
