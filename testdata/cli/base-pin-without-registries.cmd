# A project that needs no pin.
rbuild base pin
