"""How values are written on the wire: digests, and JSON that every client can read."""
