"""What a page can ask of the server, a file for each part of a project."""
