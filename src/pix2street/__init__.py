"""pix2street: from a semantic drawing of a street to a photo of it."""
