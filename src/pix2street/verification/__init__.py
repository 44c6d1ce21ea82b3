"""A commit made again and compared with its lock."""
