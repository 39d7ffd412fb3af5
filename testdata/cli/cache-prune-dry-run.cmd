# What was not used for a month would go.
served
first cache warm --layers --platform linux/amd64 REGISTRY/team/base:v1
old 40
rbuild cache prune --dry-run
