"""Requests and answers: sending them, repeating them, and what one that failed means. Private."""
