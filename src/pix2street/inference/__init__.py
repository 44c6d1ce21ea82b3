"""A trained generator in people's hands: files and pixels in, photos out."""
