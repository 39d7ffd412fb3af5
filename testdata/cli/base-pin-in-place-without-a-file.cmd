# Nowhere to write to.
rbuild base pin --in-place
