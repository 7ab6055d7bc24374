"""The pages in a browser, Debian's Chromium: what people see and press, with and without a mouse."""
