"""The contract of the Conductor render service: ``openapi.yaml``, ``interactions/`` and what reads them.

- ``contract``: the operations, their rules and the evidence for them (``load()``)
- ``verify``: the interactions against any server
- ``strategies``: Hypothesis strategies for tests
"""
