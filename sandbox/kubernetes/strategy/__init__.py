"""Per resource: defaults, validation and what an update may not change."""
