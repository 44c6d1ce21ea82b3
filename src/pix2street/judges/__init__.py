"""Judges: networks that score images and are never trained on generated ones."""
