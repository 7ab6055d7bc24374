"""The operations of the service: one blueprint per resource, thin: parse, call, render.

A module, its blueprint and its function are named as the contract names the operation: `jobs.create` is `create` of the
blueprint `jobs` in `jobs.py`, so Flask's endpoint is the operation id everywhere (journal, fault rules, interactions,
docs). Where Python has the name already the function has an underscore behind it: `jobs.list` is `list_`.
"""
