"""Projects on disk: a video, its objects, the masks painted and tracked, and who is told when they change."""
