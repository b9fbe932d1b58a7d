"""How what is there is brought to a new spec: the counterparts of workflows/install, also where nothing is yet."""
