# Nothing was ever put there.
rbuild cache ls
