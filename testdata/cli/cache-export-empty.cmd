# Nothing to export.
rbuild cache export bases.tar
