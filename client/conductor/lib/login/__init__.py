"""API keys, the tokens that they buy, and the login with a browser. Private."""
