"""What a download is made of; `conductor.lib.downloader` is the way in. Private."""
