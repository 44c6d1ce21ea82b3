"""Training: batches, devices, optimizers, the loop over epochs, checkpoints and diagnostics."""
