"""Records of runs: MLflow's runs, models and registry, and the hashes of DVC's lock."""
