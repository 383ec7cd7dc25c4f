"""What a workspace consists of: one module for each family of entities."""
