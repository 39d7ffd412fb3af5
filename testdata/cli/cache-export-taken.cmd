# The directory holds other things.
base linux/amd64 full r.example/base:1
file note.txt ours
rbuild cache export . r.example/base:1
