"""What a project asks of the networks: tracking, heat maps, pointing, and exports, as jobs or at once."""
