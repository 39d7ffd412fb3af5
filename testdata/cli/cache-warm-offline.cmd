# Nothing here, and no network.
variable RBUILD_OFFLINE=1
rbuild cache warm --platform linux/amd64 r.example/base:1
