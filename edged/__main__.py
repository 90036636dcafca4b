"""``python -m edged`` is the command ``edged``."""

from edged.cli import main

if __name__ == "__main__":
    main()
