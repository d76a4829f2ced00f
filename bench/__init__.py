"""Benchmarks: `python -m bench`. Load generator, sink and subject are processes of their own, on loopback."""
