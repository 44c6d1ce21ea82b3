"""The loop around one update of both networks: batches, devices, optimizer, checkpoints, diagnostics."""
