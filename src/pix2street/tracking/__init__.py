"""What a run is given and where it is kept: MLflow's runs, models and registry, and the hashes of DVC's lock."""
