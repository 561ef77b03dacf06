"""`python -m mmrl` is `mmrl`."""

from mmrl.cli import command

if __name__ == "__main__":
    command()
