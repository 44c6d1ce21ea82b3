"""A page on which a user paints an input and sees the generated photo."""
