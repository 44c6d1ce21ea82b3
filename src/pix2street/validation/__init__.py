"""What a manifest must keep before anything is trained on it; the only place that knows Great Expectations."""
