"""The search: Optuna proposes, ASHA stops, Ray Tune runs; `search` knows none of Ray, `study` puts all together."""
