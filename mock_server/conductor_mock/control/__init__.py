"""The control API under `/_mock/`: what a test or a person asks of the fake itself, outside the protocol."""
