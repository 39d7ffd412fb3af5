# A directory without a layout.
file note.txt ours
rbuild cache import .
