"""Kinds of values that arguments and settings take, and how each is checked. Private."""
