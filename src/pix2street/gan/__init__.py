"""pix2pix: the discriminator, the losses, one update of both networks, and the epochs around it."""
