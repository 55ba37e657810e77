"""Lays out a declared world of AWS resources on an emulator; see ../lay_out.py for the format."""
