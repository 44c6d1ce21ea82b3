"""Checks that a manifest must pass before anything is trained on it; the only room that knows Great Expectations."""
