"""The base of every room: images, pairs, classes, tables and files, each read and written by one module."""
