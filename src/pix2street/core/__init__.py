"""What every room stands on: images, pairs, classes, tables and files, read and written in one place each."""
