"""Releases: what is uploaded, and the parts of examples that follow template.yaml."""
