"""What programs that watch a server ask: `/metrics`."""
