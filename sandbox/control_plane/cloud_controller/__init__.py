"""AWS's cloud controller manager for a real API server: Services of type LoadBalancer get one.

Nodes need nothing of it here: the node agent registers them with provider id, zone and addresses and without the taint
node.cloudprovider.kubernetes.io/uninitialized, and EKS's stand-in deletes the Nodes of a node group that goes.
"""
