"""The typed sections of `params.yaml`, one module for each stage; a step gets its section whole."""
