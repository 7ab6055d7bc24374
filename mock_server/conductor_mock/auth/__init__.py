"""Who may call what: bearer tokens, signed URLs, and the rule for every operation."""
