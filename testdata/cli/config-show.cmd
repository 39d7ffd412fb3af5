# Where every setting comes from.
workspace hello
config defaultBaseImage: scratch
first base pin
rbuild config show
