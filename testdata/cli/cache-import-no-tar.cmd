# A file of another kind.
file bases.tar no tar at all
rbuild cache import bases.tar
