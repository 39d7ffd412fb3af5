# Two names of one image, and nothing of this project.
base linux/amd64 full r.example/base:1 docker.io/library/debian:13-slim
old 40
rbuild cache ls
