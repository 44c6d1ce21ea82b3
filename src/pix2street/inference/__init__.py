"""A trained generator in use: it takes files and pixels and gives photos."""
