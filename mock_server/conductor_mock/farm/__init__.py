"""The simulated render farm: a pure fold of commands over simulated time (see README.md beside this file)."""
