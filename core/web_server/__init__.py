"""The web server's own part: gunicorn's threads, to which a request is handed only when all of it has been read."""
