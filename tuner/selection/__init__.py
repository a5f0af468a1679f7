"""From a study's trials to what to use: finalists, statistics on fresh seeds, alpha's response, the recommendation."""
