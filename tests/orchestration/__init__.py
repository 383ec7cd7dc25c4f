"""Many member workspaces of a group: into one database, by several runs at a time."""
