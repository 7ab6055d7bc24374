"""The operations of the service: one blueprint per resource, thin: parse, call, render.

A blueprint and its function together are named as the contract names the operation: `jobs.create` is `create` of the
blueprint `jobs`, so Flask's endpoint is the operation id everywhere (journal, fault rules, interactions, docs).
"""
