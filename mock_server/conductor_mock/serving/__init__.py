"""The socket in front of the app: framing, signals, and the journal entry of each request."""
