"""What networks are made of, the discriminator and the losses; networks on disk."""
