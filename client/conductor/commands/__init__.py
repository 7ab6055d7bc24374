"""The commands of ``conductor``, one module for each or for a few that belong together."""
