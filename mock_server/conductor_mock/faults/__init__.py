"""Faults that were asked for: the rules, and what each kind does to a request and to its answer."""
