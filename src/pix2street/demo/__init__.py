"""A page on which one paints what a generator takes and sees what it makes of it."""
