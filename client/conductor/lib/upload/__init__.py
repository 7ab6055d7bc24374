"""What an upload is made of; `conductor.lib.uploader` is the way in. Private."""
