"""The only place with SQL. A unit of work is a coroutine over a transaction; every statement has a name in `sql/`."""
