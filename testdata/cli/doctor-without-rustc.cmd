# RUSTC names nothing.
workspace hello
variable RUSTC=no-such-rustc
rbuild doctor
