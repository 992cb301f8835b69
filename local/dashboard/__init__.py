"""The picture of the dashboard: a run is recorded, and the template's own dashboard is drawn from it."""
