"""The commands of ``conductor-contracts``, one module for each or a few that belong together."""
