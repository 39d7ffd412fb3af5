# A binary that is an image of its own and lies in another one is named once.
workspace crew
targets x86_64-unknown-linux-gnu x86_64-unknown-linux-musl
programs cc
rbuild doctor --workspace
