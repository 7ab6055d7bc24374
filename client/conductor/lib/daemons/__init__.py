"""Programs that run on: the uploader, the downloader, the loop that both share. Private."""
