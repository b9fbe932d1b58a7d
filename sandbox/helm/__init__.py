"""A stand-in for the `helm` binary: helm 3's commands, storage, output and error texts, with three charts of its own.

It starts in a tenth of a second (the product calls it several times per install), hence the standard library's HTTP
client and imports kept few. Source of behaviour and texts: github.com/helm/helm, branch release-3.20.
"""
