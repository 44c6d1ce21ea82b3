"""The arguments of the command `pix2street`; `cli.py` does the work behind them."""
