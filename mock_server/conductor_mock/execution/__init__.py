"""Tasks that run for real: one driver outside the farm, a private folder per attempt, processes that really end."""
