"""Stand-in for the container `dbosdev/conductor`: its HTTP API under /v2 and the WebSocket that executors hold open.

State is in PostgreSQL, in the database and with the role that the pod was given, so a wrong URL or a missing grant
makes it end at start, as the real one does. What the stand-in knows of the real one comes from Conductor's published
OpenAPI 3.1 document, from the documentation ("Conductor API", "Self-hosting Conductor", "Workflow recovery") and from
the executor's side of the protocol in dbos 3.2.0 (`dbos/_conductor/`).
"""
