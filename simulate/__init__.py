"""A day of the pipeline in seconds: what a stack and an endpoint of given sizes make of given traffic.

parameters ─▶ traffic ─▶ request queue ─▶ submit ─▶ endpoint (queue, instances, scaling)
           report, cost, plot ◀─ results ◀─ collect ◀─ notifications ◀─┘
"""
