"""`python -m models.training bgmv2 ...`, the same as `cleanplate train bgmv2 ...`."""

import argparse
import sys

from models.training import cli

parser = argparse.ArgumentParser(prog="python -m models.training")
cli.add_arguments(parser)
sys.exit(cli.run(parser.parse_args()))
