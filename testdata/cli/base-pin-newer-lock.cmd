# A lock that a later rbuild wrote.
file builder.lock {"version": 2}
rbuild base pin
