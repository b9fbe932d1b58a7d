"""Who may do what: RBAC over the stored roles and bindings."""
