"""The vendor's published client, unmodified, as an independent witness of the server.

`environments` installs a version of it, `fake` serves the server, `workstation` is the machine of somebody who uses the
client, `scenarios` runs what such people do side by side, and the tests look at what came of it. The client is a black
box here: it is called by its public names and its command line, as the wire reference describes them.
"""
