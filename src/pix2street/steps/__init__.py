"""The work of each stage, one module each, from values and folders to values and files.

Steps know neither `params.yaml` nor each other.
"""
