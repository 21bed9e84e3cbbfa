"""What the cycle tells about a network and a video, beyond the masks."""
