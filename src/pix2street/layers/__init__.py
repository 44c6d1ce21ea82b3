"""Parts of networks: blocks, norms, the discriminator, the losses, and the files that hold a network."""
