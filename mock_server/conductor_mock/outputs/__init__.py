"""What simulated tasks leave: when it is listed, how it is named, and the pictures themselves."""
