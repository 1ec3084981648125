"""`python -m tracetogether`."""

from tracetogether.cli import main

if __name__ == "__main__":
    main()
