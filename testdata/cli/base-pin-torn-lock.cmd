# A lock with the marks of a merge.
file builder.lock {"version": 1,\n<<<<<<< HEAD
rbuild base pin
