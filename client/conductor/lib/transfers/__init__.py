"""What uploads and downloads share. Private."""
