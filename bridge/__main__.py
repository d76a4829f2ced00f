"""`python -m bridge` is the `alertbridge` command."""

from bridge.cli.main import main

if __name__ == "__main__":
    main()
