"""Workflows: what to do about an incident, written in Python instead of YAML.

`api` has the classes that users inherit, `context` what their actions are told, `perform` runs the actions, and
`threads` is where that happens: user code never runs on the event loop.
"""
