"""``python -m cyclevos`` is the command line."""

from cyclevos.cli.main import main

if __name__ == "__main__":
    main()
