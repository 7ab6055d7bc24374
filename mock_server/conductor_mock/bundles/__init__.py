"""A bundle: what decided the runs of one account, in one file (design, rule 11).

`records` are commands as lines of text, `manifest` says what the file holds, `archive` is the file, `transfer` saves an
account to it and makes an empty account of it.
"""
