"""Alertmanager's Go templates, as far as they are simple, into our Jinja."""
