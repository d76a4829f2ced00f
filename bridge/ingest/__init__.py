"""From a sender's request to alerts: who sent it, and what it says. Knows no web framework and no database."""
