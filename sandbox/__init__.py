"""Trials and comparisons in sealed containers; see README.md in this folder."""

VERSION = "0.1.0"
