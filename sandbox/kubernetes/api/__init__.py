"""HTTP front of the API server: requests, authentication, discovery, verbs, watches and proxies."""
