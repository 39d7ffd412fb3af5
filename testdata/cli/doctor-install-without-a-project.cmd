# Targets are installed for a program; without one nothing is installed, and that is a failure.
targets x86_64-unknown-linux-gnu
programs cc
rbuild doctor --install-targets --platform linux/amd64
