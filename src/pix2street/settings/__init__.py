"""The typed sections of `params.yaml`, a module a stage; each section reaches its step whole."""
