"""EKS, wholly our own: moto's has no states, no add-ons, no access entries, no updates, and checks nothing."""
