"""How values are written on the wire: digests, JSON that every client can read, and what of it nobody is shown."""
