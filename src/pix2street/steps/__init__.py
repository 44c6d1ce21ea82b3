"""One module a stage: values and folders in, values and files out. Steps know neither `params.yaml` nor each other."""
