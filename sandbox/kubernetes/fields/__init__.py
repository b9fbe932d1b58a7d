"""Field ownership and server-side apply (KEP-555): field sets, typed merge, managedFields."""
